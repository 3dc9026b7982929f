"""What is known: sources in, passages out, each only for those who may read it."""
