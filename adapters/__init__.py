"""Votes in, a better model out. Offline: nothing here runs while the bot serves."""
