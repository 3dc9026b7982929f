"""What admins do from Slack: `/lorebot`, its buttons and its modal."""
