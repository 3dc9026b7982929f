"""The composition root: everything that is built, is built and connected here."""
