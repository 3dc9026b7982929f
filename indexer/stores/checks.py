"""What would make a document unfindable is refused before it is written, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.documents import Chunk, Document, Vectors
from indexer.errors import StoreError
from indexer.stores.base import SearchRequest


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
