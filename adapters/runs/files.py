"""Fingerprints files and folders by content, writes text atomically, reads JSON Lines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from adapters.errors import DatasetError
from indexer.file_hash import sha256_of


def fingerprint(path: Path) -> str:
    """SHA-256 in hex: of a file's bytes, or of a folder's relative paths and their files'."""
    if not path.is_dir():
        return sha256_of(path)
    return fingerprint_of((each for each in path.rglob("*") if each.is_file()), path)


def fingerprint_of(files: Iterable[Path], folder: Path) -> str:
    """SHA-256 in hex of some files in ``folder``: of their relative paths and their hashes."""
    whole = hashlib.sha256()
    for each in sorted(files):
        whole.update(f"{each.relative_to(folder).as_posix()}\0{sha256_of(each)}\n".encode())
    return whole.hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Readers see the old text or the new, never a part of it."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def numbered_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """The lines of a JSON Lines file that are not blank, numbered from 1.

    Raises DatasetError, in which ``what`` names the file for people. Only line feeds part lines:
    JSON may hold all other separators as they are.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The {what} in {path} cannot be read: {error}") from error
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
