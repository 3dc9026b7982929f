"""Index documents from many sources, and retrieve the passages that a given audience may read."""
