"""Record the outcome of each source's last sync in a file beside the index, for ``status``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.errors import StoreError
from indexer.private_files import make_private_folder, open_private
from indexer.sync.sync import Report


@dataclass(frozen=True, slots=True)
class Entry:
    """One source's last sync: when it ended, what could not be read, and why it failed, if so."""

    finished: datetime
    unreadable: Mapping[str, str]
    failure: str = ""


class Journal:
    """A small JSON file, replaced whole; of two writers the last one wins."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Entry]:
        """Entries by source; a journal that is missing or damaged is empty, not an error."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return {source: _entry(fields) for source, fields in kept.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, reports: Iterable[Report]) -> None:
        """Replace the entries of the reported sources. Raises StoreError."""
        entries = {source: _fields(entry) for source, entry in self.read().items()}
        now = datetime.now(UTC)
        for report in reports:
            unreadable = {one.id: one.reason for one in report.unreadable}
            entries[report.source] = _fields(Entry(now, unreadable, report.failure))
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            make_private_folder(self._path.parent)
            with open(beside, "w", encoding="utf-8", opener=open_private) as file:
                json.dump(entries, file, indent=1)
            beside.replace(self._path)
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written ({error.strerror}); check the folder's "
                "permissions and free space."
            ) from error


def _fields(entry: Entry) -> dict[str, object]:
    return {
        "finished": entry.finished.isoformat(),
        "unreadable": dict(entry.unreadable),
        "failure": entry.failure,
    }


def _entry(fields: Mapping[str, object]) -> Entry:
    unreadable = fields["unreadable"]
    if not isinstance(unreadable, dict):
        raise TypeError("unreadable is no table")
    return Entry(
        datetime.fromisoformat(str(fields["finished"])), unreadable, str(fields["failure"])
    )
