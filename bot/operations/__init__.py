"""Keeping an installation: backups, restores, and what is kept for how long."""
