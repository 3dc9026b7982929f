"""A source and its indexed documents brought together, and the journal of what each sync did."""
