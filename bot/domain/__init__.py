"""The ground floor of the bot: values, errors, prompts, thresholds and settings."""
