"""Language models: one port with two verbs, and what implements it."""
