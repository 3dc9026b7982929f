"""Stage ``evaluate``: the candidate against the serving model on held-out questions."""
