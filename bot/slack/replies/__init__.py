"""From a question in Slack to its answer there: audience, thread, stream, status."""
