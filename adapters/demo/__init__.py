"""``lorebot-adapters demo``: from votes to a better model with a tiny base."""
