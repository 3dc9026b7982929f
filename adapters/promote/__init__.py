"""Stage ``promote``: past the gate into the registry, and the lineage of what serves."""
