"""Where chunks and vectors live: one port, several stores."""
