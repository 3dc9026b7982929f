"""What reaches the bot: events, interactions and commands, over Socket Mode or HTTP."""
