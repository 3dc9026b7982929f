"""The composition root: the only place that builds and connects the parts of the bot."""
