"""Slack: where people ask and how they answer back."""
