"""What people do in Slack, a module per feature: ask, vote, correct, escalate."""
