"""Block Kit: its limits, its elements, and what people fill in."""
