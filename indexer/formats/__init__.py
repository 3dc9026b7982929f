"""Readers of file formats, one module per format; they run in the worker process only.

Each module has ``read(content: bytes) -> Extracted``, which raises DocumentError with a sentence
that says what to do; any other exception is taken for a damaged file.
"""
