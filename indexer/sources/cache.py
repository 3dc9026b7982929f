"""A source's cache of what it need not read or extract again; may be deleted at any time."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from indexer.errors import DocumentError, SourceError
from indexer.extraction import VERSION, Extractor
from indexer.formats.extracted import Extracted
from indexer.private_files import make_private_file, make_private_folder
from indexer.settings import ExtractionTable
from indexer.write_ahead import remove_database, use_write_ahead_log

_SCHEMA_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS remembered (
    key TEXT PRIMARY KEY, fingerprint TEXT, digest TEXT, checked REAL, value TEXT
) WITHOUT ROWID
"""
_DAY = 24 * 60 * 60
_CLOCK_TICK = 2.0
"""Seconds in which a second write might leave a file's times as they are."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A value and what it was made of.

    ``fingerprint`` is cheap to compare and ``digest`` certain; ``checked`` is when the digest was
    last compared, in seconds since the epoch.
    """

    fingerprint: str
    digest: str
    checked: float
    value: str


class SourceCache:
    """Entries by key, of one source; a context manager, for one thread.

    Without a path it lasts as long as the object. A damaged file, or one of another version, is
    replaced by an empty one. Raises SourceError when the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with self._errors_explained():
            if path is not None:
                make_private_folder(path.parent)
            try:
                self._database = self._open()
            except sqlite3.DatabaseError as error:
                if path is None or isinstance(error, sqlite3.OperationalError):
                    raise
                remove_database(path)
                self._database = self._open()

    def get(self, key: str) -> CacheEntry | None:
        with self._errors_explained():
            row = self._database.execute(
                "SELECT fingerprint, digest, checked, value FROM remembered WHERE key = ?", (key,)
            ).fetchone()
        return CacheEntry(*row) if row else None

    def put(self, key: str, entry: CacheEntry) -> None:
        row = (entry.fingerprint, entry.digest, entry.checked, entry.value)
        with self._errors_explained(), self._database:
            self._database.execute(
                "INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?)", (key, *row)
            )

    def remove_all_but(self, keys: Set[str]) -> None:
        """After a complete reading: what has vanished from the source must not stay here."""
        with self._errors_explained(), self._database:
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
        if self._path is not None:
            make_private_file(self._path)
        database = sqlite3.connect(self._path or ":memory:")
        try:
            use_write_ahead_log(database)
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA secure_delete = ON")
            if database.execute("PRAGMA user_version").fetchone() != (_SCHEMA_VERSION,):
                database.execute("DROP TABLE IF EXISTS remembered")
                database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            database.execute(_TABLE)
        except sqlite3.Error:
            database.close()
            raise
        return database

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SourceError(
                f"{self._path or 'The cache of a source'} cannot be used ({error}); make its "
                "folder writable, end other syncs, or delete the file: it is made anew."
            ) from error


class CachedExtractor:
    """An Extractor that extracts each version of a file once; a context manager, for one thread.

    A file whose size, inode and times of change are those of the last reading costs a ``stat``;
    one whose content is the same nevertheless is read and hashed, but not extracted. Content that
    changes under an unchanged ``stat`` (on a local disk only setting the clock back does that,
    some network disks may) is noticed after ``trust_seconds`` at the latest: then the content is
    hashed again. The ``stat`` of a file written within the clock's tick is not trusted at all.
    Refusals last a day: a file that takes too long is tried once per day.
    """

    def __init__(
        self,
        limits: ExtractionTable,
        cache: SourceCache,
        clock: Callable[[], float] = time.time,
        trust_seconds: float = _DAY,
    ) -> None:
        self._limits = limits
        self._cache = cache
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._extractor = Extractor(limits)
        self._conditions = f"{VERSION} {limits.model_dump_json()}"
        self._used: set[str] = set()

    def extract_file(self, path: Path, key: str) -> Extracted:
        """Raises DocumentError, OSError, and SourceError when nothing can be extracted at all."""
        status = path.stat()
        changed = max(status.st_mtime, status.st_ctime)
        fingerprint = (
            f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
            if abs(self._clock() - changed) > _CLOCK_TICK
            else ""
        )
        return self.extract(key, fingerprint, status.st_size, path.suffix, path.read_bytes)

    def extract(
        self, key: str, fingerprint: str, size: int, suffix: str, load: Callable[[], bytes]
    ) -> Extracted:
        """``size`` is in bytes; ``load`` is called unless the entry for ``key`` is current.

        An empty fingerprint is never current. Raises DocumentError, and SourceError when nothing
        can be extracted at all.
        """
        self._used.add(key)
        if size > self._limits.file_megabytes * 2**20:
            raise DocumentError(
                f"it is larger than {self._limits.file_megabytes} MiB; split it "
                "(or raise [extraction] file_megabytes)."
            )
        fingerprint = fingerprint and f"{fingerprint} {suffix} {self._conditions}"
        known = self._cache.get(key)
        now = self._clock()
        is_refusal = known is not None and _is_refusal(known)
        lasts = _DAY if is_refusal else self._trust_seconds
        is_fresh = known is not None and 0 <= now - known.checked < lasts
        if known and is_fresh and fingerprint and known.fingerprint == fingerprint:
            return _value(known)
        content = load()
        digest = hashlib.sha256(f"{suffix} {self._conditions}\0".encode() + content).hexdigest()
        if known and known.digest == digest and (is_fresh or not is_refusal):
            # A refusal keeps its age, or it would never be tried again.
            checked = known.checked if is_refusal else now
            known = CacheEntry(fingerprint, digest, checked, known.value)
        else:
            known = CacheEntry(fingerprint, digest, now, self._extract(content, suffix))
        self._cache.put(key, known)
        return _value(known)

    @property
    def used_keys(self) -> Set[str]:
        """The keys asked for: after a complete reading all others may be removed."""
        return self._used

    def close(self) -> None:
        self._extractor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _extract(self, content: bytes, suffix: str) -> str:
        try:
            extracted = self._extractor.extract(content, suffix)
        except DocumentError as error:
            return json.dumps({"refusal": str(error)})
        return json.dumps({"title": extracted.title, "text": extracted.text})


def _is_refusal(known: CacheEntry) -> bool:
    return "refusal" in json.loads(known.value)


def _value(known: CacheEntry) -> Extracted:
    """Raises DocumentError."""
    value = json.loads(known.value)
    if "refusal" in value:
        raise DocumentError(value["refusal"])
    return Extracted(value["title"], value["text"])
