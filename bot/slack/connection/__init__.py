"""How Slack is reached: transport, clients, call errors, rate limits, OAuth, tokens, manifest."""
