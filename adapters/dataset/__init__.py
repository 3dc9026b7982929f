"""Stage ``dataset``: votes, corrections and golden questions → examples to learn from."""
