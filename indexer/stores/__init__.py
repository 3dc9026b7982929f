"""Stores of chunks and vectors: one port, several implementations."""
