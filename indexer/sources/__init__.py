"""Where documents come from: one protocol, one file a kind of source."""
