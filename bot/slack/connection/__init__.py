"""How Slack is reached: transport, clients, calls, rate limits, OAuth, tokens, manifest."""
