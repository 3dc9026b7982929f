"""Files of every kind as Markdown. Read in the worker process only: a module a kind.

Each module has ``read(content) -> Extracted`` and raises DocumentError with a sentence that says
what to do; whatever else it raises is taken for a damaged file.
"""
