"""How Slack writes people, messages, mentions and links."""
