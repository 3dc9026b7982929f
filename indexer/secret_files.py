"""Secrets that are given as files, as container platforms do, in place of the environment."""

from __future__ import annotations

from pathlib import Path

from indexer.errors import IndexSettingsError


def read_secret(named_by: str, path: str) -> str:
    """The one secret in a file; the newline at its end does not belong to it.

    ``named_by`` is who names the file, for people to read. Raises IndexSettingsError.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexSettingsError(
            f"The secret {path!r} that {named_by} names cannot be read ({error}): correct the "
            "path, or let the user that runs Lorebot read the file."
        ) from error
