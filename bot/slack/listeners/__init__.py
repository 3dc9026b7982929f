"""What people do in Slack, one module per feature: ask, vote, correct, escalate."""
