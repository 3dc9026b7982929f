"""What people see: blocks, mrkdwn and phrases in their language. Pure functions."""
