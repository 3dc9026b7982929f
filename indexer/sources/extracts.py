"""Files as Markdown, each version of a file extracted once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Set
from pathlib import Path
from typing import Self

from indexer.errors import DocumentError
from indexer.extraction import VERSION, Extractor
from indexer.formats.extracted import Extracted
from indexer.settings import ExtractionTable
from indexer.sources.memory import Remembered, SourceMemory

_A_DAY = 24 * 60 * 60
_CLOCK_TICK = 2.0
"""Seconds in which a second write might leave a file's times as they are."""


class Extracts:
    """An Extractor with a memory; a context manager, for one thread.

    A file whose size, inode and times of change are those of the last reading costs a ``stat``;
    one whose content is the same nevertheless is read and hashed, but not extracted. Content that
    changes under an unchanged ``stat`` (on a local disk nothing short of setting the clock does
    it, some network disks may) is noticed after ``believed`` seconds at the latest, a day by
    default: then the content is hashed again. A file written within the clock's tick is not
    believed at all. Refusals last a day: a file that takes too long is tried once a day.
    """

    def __init__(
        self,
        limits: ExtractionTable,
        memory: SourceMemory,
        clock: Callable[[], float] = time.time,
        believed: float = _A_DAY,
    ) -> None:
        self._limits = limits
        self._memory = memory
        self._clock = clock
        self._believed = believed
        self._extractor = Extractor(limits)
        self._conditions = f"{VERSION} {limits.model_dump_json()}"
        self._asked: set[str] = set()

    def of_file(self, path: Path, key: str) -> Extracted:
        """Raises DocumentError, OSError, and SourceError when nothing can be extracted at all."""
        status = path.stat()
        changed = max(status.st_mtime, status.st_ctime)
        fingerprint = (
            f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
            if abs(self._clock() - changed) > _CLOCK_TICK
            else ""
        )
        return self.of(key, fingerprint, status.st_size, path.suffix, path.read_bytes)

    def of(
        self, key: str, fingerprint: str, size: int, suffix: str, load: Callable[[], bytes]
    ) -> Extracted:
        """``load`` is called unless the content is known; an empty fingerprint says nothing."""
        self._asked.add(key)
        if size > self._limits.file_megabytes * 2**20:
            raise DocumentError(
                f"it is larger than {self._limits.file_megabytes} MiB; split it "
                "(or raise [extraction] file_megabytes)."
            )
        fingerprint = fingerprint and f"{fingerprint} {suffix} {self._conditions}"
        known = self._memory.recall(key)
        now = self._clock()
        is_refusal = known is not None and _is_refusal(known)
        lasts = _A_DAY if is_refusal else self._believed
        is_fresh = known is not None and 0 <= now - known.checked < lasts
        if known and is_fresh and fingerprint and known.fingerprint == fingerprint:
            return _value(known)
        content = load()
        digest = hashlib.sha256(f"{suffix} {self._conditions}\0".encode() + content).hexdigest()
        if known and known.digest == digest and (is_fresh or not is_refusal):
            # A refusal keeps its age, or it would never be tried again.
            checked = known.checked if is_refusal else now
            known = Remembered(fingerprint, digest, checked, known.value)
        else:
            known = Remembered(fingerprint, digest, now, self._extract(content, suffix))
        self._memory.remember(key, known)
        return _value(known)

    @property
    def asked(self) -> Set[str]:
        """The keys asked for: after a complete reading all others may be forgotten."""
        return self._asked

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


def _is_refusal(known: Remembered) -> bool:
    return "refusal" in json.loads(known.value)


def _value(known: Remembered) -> Extracted:
    """Raises DocumentError."""
    value = json.loads(known.value)
    if "refusal" in value:
        raise DocumentError(value["refusal"])
    return Extracted(value["title"], value["text"])
