"""The port that every store implements, and the checks on what is written and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.errors import StoreError


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """What the store knows of a document: enough to tell whether the source has changed."""

    id: str
    source: str
    digest: str
    audience: Audience
    chunks: int


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One hybrid search, filtered BEFORE ranking to what ``audience`` may read.

    ``text`` goes to the lexical leg, ``vector`` (unit length, the embedder's dimension) to the
    dense one. ``dense_weight`` in 0..1 weighs the min-max-normalised legs; ``candidates`` is the
    number each leg contributes, ``limit`` the number returned. ``sources`` narrows the search
    further, to documents of these sources; empty means all.
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
    """How rare words are among the chunks that may be found: ``chunks`` counts them all,
    ``containing`` maps each asked word to the number that hold it, stemmed as the store stems.
    """

    chunks: int
    containing: Mapping[str, int]


class Store(Protocol):
    """Chunks, vectors and audiences, one transaction a document.

    All methods are safe from several threads and raise StoreError with a sentence.
    """

    def documents(self, source: str | None = None) -> Mapping[str, IndexedDocument]:
        """Every indexed document by id, of one source or of all."""
        ...

    def check(self) -> None:
        """Ask for next to nothing, however much is indexed. Raises StoreError where searches would
        fail.
        """
        ...

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Insert or replace a document whole: readers see the old chunks or the new, never both.

        ``vectors`` has one unit-length row a chunk.
        """
        ...

    def set_audience(self, document_id: str, audience: Audience) -> None:
        """Change who may read a document, without touching text or vectors."""
        ...

    def delete(self, document_id: str) -> None:
        """Remove exactly this document; unknown ids are fine."""
        ...

    def search(self, request: SearchRequest) -> list[Passage]:
        """The best passages that the request's audience may read, best first."""
        ...

    def frequencies(
        self, words: Sequence[str], audience: Audience, sources: frozenset[str] = frozenset()
    ) -> Frequencies:
        """Count the chunks that hold each word, among those that a search for this audience in
        these sources could find; bare lower-case words, no phrases.
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
