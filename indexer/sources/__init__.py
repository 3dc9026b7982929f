"""Sources of documents: one protocol, one module per kind of source."""
