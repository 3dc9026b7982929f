"""Questions in, cited answers out, votes recorded."""
