"""Keeping an installation: backups, restores, and the doctor's checks."""
