"""Passages as LlamaIndex nodes."""

from __future__ import annotations

import numpy as np
from llama_index.core.schema import TextNode

from indexer.documents import Passage, Vectors


def node_of(passage: Passage) -> TextNode:
    """The passage's chunk with what a citation needs; who may read it is nobody else's business."""
    chunk = passage.chunk
    metadata = {
        "document_id": chunk.document_id,
        "title": passage.title,
        "headers": list(chunk.headers),
        "url": passage.url,
    }
    return TextNode(id_=chunk.id, text=chunk.text, metadata=metadata)


def unit_length(vector: object) -> Vectors:
    """Any sequence of numbers as a vector of length 1; zeros stay zeros."""
    values = np.asarray(vector, np.float32)
    unit: Vectors = values / max(float(np.linalg.norm(values)), 1e-12)
    return unit
