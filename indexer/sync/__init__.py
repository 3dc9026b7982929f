"""Sync sources into the index, and keep a journal of what each sync did."""
