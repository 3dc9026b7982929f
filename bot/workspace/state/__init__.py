"""The workspace in memory: people, channels, messages, files and views. No I/O, no threads."""
