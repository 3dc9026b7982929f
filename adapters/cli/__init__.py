"""The command line: ``lorebot-adapters``."""
