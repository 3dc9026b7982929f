"""Files by content: fingerprints, writing of which readers never see a half, and locks."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.errors import DatasetError, StageBusy


def fingerprint(path: Path) -> str:
    """SHA-256 in hex: of a file's bytes, or of a folder's relative paths and their files'."""
    if not path.is_dir():
        return _file_hash(path)
    whole = hashlib.sha256()
    for each in sorted(path.rglob("*")):
        if each.is_file():
            whole.update(f"{each.relative_to(path).as_posix()}\0{_file_hash(each)}\n".encode())
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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Held by the operating system, so that a killed process leaves no lock behind."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageBusy(
                f"Another process is working in {folder}; wait for it, or name another folder."
            ) from None
        yield


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
