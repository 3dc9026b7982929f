"""The port that every store implements, and the validation of its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.errors import StoreError


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document as the store lists it: enough to tell whether the source has changed.

    ``digest`` is that of ``Document.digest``, ``chunks`` their number.
    """

    id: str
    source: str
    digest: str
    audience: Audience
    chunks: int


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One hybrid search, filtered BEFORE ranking to what ``audience`` may read.

    ``text`` goes to the lexical leg, ``vector`` (float32, shape (dimension,), L2-normalised) to
    the dense one. ``dense_weight`` in 0..1 weighs the legs (see ``fusion``); ``candidates`` is the
    number of chunks that each leg contributes, ``limit`` the number returned. ``sources`` narrows
    the search to documents of these sources; empty means all.
    """

    text: str
    vector: Vectors
    audience: Audience
    limit: int = 6
    candidates: int = 30
    dense_weight: float = 0.5
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Document frequencies of words, over the chunks that one audience may find.

    ``chunks`` is the number of all of them; ``containing`` maps each word to the number of chunks
    that contain its stem.
    """

    chunks: int
    containing: Mapping[str, int]


class Store(Protocol):
    """Chunks, vectors and audiences, with one transaction per document.

    All methods are safe from several threads and raise StoreError.
    """

    def documents(self, source: str | None = None) -> Mapping[str, IndexedDocument]:
        """Every indexed document by id, of one source or of all."""
        ...

    def check(self) -> None:
        """A cheap health check at any size. Raises StoreError if searches would fail."""
        ...

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Insert or replace a document whole: readers see the old chunks or the new, never both.

        ``vectors`` is float32, shape (n_chunks, dimension), rows L2-normalised.
        """
        ...

    def set_audience(self, document_id: str, audience: Audience) -> None:
        """Change who may read a document, without touching text or vectors."""
        ...

    def delete(self, document_id: str) -> None:
        """Remove this document with its chunks; an unknown id is no error."""
        ...

    def search(self, request: SearchRequest) -> list[Passage]:
        """The best passages that the request's audience may read, best first."""
        ...

    def frequencies(
        self, words: Sequence[str], audience: Audience, sources: frozenset[str] = frozenset()
    ) -> Frequencies:
        """Count the chunks that contain each word, among those that a search for this audience in
        these sources could find. ``words`` are single lower-case words, no phrases.
        """
        ...

    def close(self) -> None: ...


def check_document(
    document: Document, chunks: Sequence[Chunk], vectors: Vectors, dimension: int
) -> None:
    """Raises StoreError unless there is one vector of ``dimension`` numbers for each chunk."""
    if len(vectors) != len(chunks) or vectors.shape[1:] != (dimension,):
        raise StoreError(
            f"{document.id}: {len(chunks)} chunks came with vectors of shape {vectors.shape}; "
            f"the index needs ({len(chunks)}, {dimension})."
        )
    if not np.all(np.isfinite(vectors)):
        raise StoreError(f"{document.id}: its vectors are not numbers; check the embedder.")
    if any(chunk.document_id != document.id for chunk in chunks):
        raise StoreError(f"{document.id} came with chunks of another document.")


def check_request(request: SearchRequest, dimension: int) -> None:
    """Raises StoreError unless the question's vector has the index's dimension."""
    if request.vector.shape != (dimension,):
        raise StoreError(
            f"The question's vector has shape {request.vector.shape}, the index has "
            f"{dimension} dimensions; use the embedder that built the index."
        )
