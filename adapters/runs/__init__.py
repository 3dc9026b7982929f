"""A run: its manifest, provenance, files, child processes, disk and display."""
