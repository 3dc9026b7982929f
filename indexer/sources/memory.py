"""What a source need not read again: a small table that may be deleted at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from indexer.errors import SourceError
from indexer.write_ahead import use_write_ahead_log

_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS remembered (
    key TEXT PRIMARY KEY, fingerprint TEXT, digest TEXT, checked REAL, value TEXT
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A value and what it was made of.

    ``fingerprint`` is cheap to compare and ``digest`` certain; ``checked`` is when the digest was
    last compared, in seconds since the epoch.
    """

    fingerprint: str
    digest: str
    checked: float
    value: str


class SourceMemory:
    """Values by key, of one source; a context manager, for one thread.

    Without a path it lasts as long as the object. Raises SourceError when the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with self._told():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = self._open()
            except sqlite3.DatabaseError as error:
                if path is None or isinstance(error, sqlite3.OperationalError):
                    raise
                _remove(path)
                self._database = self._open()

    def recall(self, key: str) -> Remembered | None:
        with self._told():
            row = self._database.execute(
                "SELECT fingerprint, digest, checked, value FROM remembered WHERE key = ?", (key,)
            ).fetchone()
        return Remembered(*row) if row else None

    def remember(self, key: str, remembered: Remembered) -> None:
        row = (remembered.fingerprint, remembered.digest, remembered.checked, remembered.value)
        with self._told(), self._database:
            self._database.execute(
                "INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?)", (key, *row)
            )

    def forget_all_but(self, keys: Set[str]) -> None:
        """After a complete reading: what has vanished from the source must not stay here."""
        with self._told(), self._database:
            known = [key for (key,) in self._database.execute("SELECT key FROM remembered")]
            gone = [(key,) for key in known if key not in keys]
            self._database.executemany("DELETE FROM remembered WHERE key = ?", gone)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path or ":memory:")
        try:
            use_write_ahead_log(database)
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA secure_delete = ON")
            if database.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                database.execute("DROP TABLE IF EXISTS remembered")
                database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute(_TABLE)
        except sqlite3.Error:
            database.close()
            raise
        return database

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SourceError(
                f"{self._path or 'The memory of a source'} cannot be used ({error}); make its "
                "folder writable, end other syncs, or delete the file: it is made anew."
            ) from error


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
