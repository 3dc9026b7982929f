"""The port that every kind of source implements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from indexer.documents import Document


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that exists but cannot be read; its indexed version stays as it is."""

    id: str
    reason: str
    """A sentence that says what to do."""


class Source(Protocol):
    """A source of documents, named as in the settings.

    ``read`` yields every document the source holds at this moment, once; an indexed document that
    is neither yielded nor reported unreadable has vanished and will be deleted. A source that
    cannot be read as a whole raises SourceError BEFORE its end, and then nothing is deleted.
    """

    name: str

    def read(self) -> Iterator[Document | Unreadable]: ...
