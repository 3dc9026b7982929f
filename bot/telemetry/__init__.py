"""What is seen of the bot from outside: logs, metrics and traces, none of them with content."""
