"""Passages as LlamaIndex nodes, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_index.core.schema import BaseNode, NodeWithScore, TextNode
from pydantic import PrivateAttr

from indexer.documents import Passage, Vectors

_NOT_CONTENT = ["document_id", "url", "modified"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a passage came to its place.

    A leg's rank counts from 1 among what its reader may see, None where that leg did not find the
    passage; ``lexical`` and ``similarity`` are the Passage's. ``fused`` is in 0..1, and so is
    ``reranked``, None without a reranker, unless a postprocessor of the settings scores otherwise;
    ``freshness`` is added to the latter of them. ``folded`` counts the duplicates in whose stead
    the passage stands, ``merged`` names the positions of its chunks where there are several.
    """

    lexical_rank: int | None
    lexical: float
    dense_rank: int | None
    similarity: float
    fused: float
    reranked: float | None = None
    freshness: float = 0.0
    folded: int = 0
    merged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage on its way to the answer, with what has been found out about it."""

    passage: Passage
    explanation: Explanation

    @property
    def place(self) -> float:
        """What candidates are ordered by, the highest first."""
        return self.passage.score + self.explanation.freshness


class PassageNode(TextNode):
    """A candidate as LlamaIndex's components see it: its text, and what a citation needs.

    Who may read it is in no metadata: that is asked of ``candidate.passage`` alone.
    """

    _candidate: Candidate = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        return "PassageNode"

    @property
    def candidate(self) -> Candidate:
        return self._candidate


def nodes_of(candidates: Iterable[Candidate]) -> list[NodeWithScore]:
    """Their chunks in this order, each scored as its passage is."""
    return [NodeWithScore(node=_node_of(one), score=one.passage.score) for one in candidates]


def candidates_of(nodes: Iterable[NodeWithScore]) -> list[Candidate]:
    """What ``nodes_of`` was given. Raises TypeError for a node that it has not made."""
    return [_candidate_of(one.node) for one in nodes]


def passages_of(nodes: Iterable[NodeWithScore]) -> list[Passage]:
    """What a retriever of ours has found, in its order."""
    return [candidate.passage for candidate in candidates_of(nodes)]


def text_node_of(passage: Passage) -> TextNode:
    """A node of its own for components that are not ours: what they do to it changes no passage."""
    return TextNode(**_fields(passage))


def _fields(passage: Passage) -> dict[str, Any]:
    """A node's id, text and metadata; only title and headers are for embedders and models."""
    chunk = passage.chunk
    metadata: dict[str, Any] = {
        "document_id": chunk.document_id,
        "title": passage.title,
        "headers": list(chunk.headers),
        "url": passage.url,
    }
    if passage.modified:
        metadata["modified"] = passage.modified.isoformat()
    return {
        "id_": chunk.id,
        "text": chunk.text,
        "metadata": metadata,
        "excluded_embed_metadata_keys": _NOT_CONTENT,
        "excluded_llm_metadata_keys": _NOT_CONTENT,
    }


def _node_of(candidate: Candidate) -> PassageNode:
    node = PassageNode(**_fields(candidate.passage))
    node._candidate = candidate
    return node


def _candidate_of(node: BaseNode) -> Candidate:
    if not isinstance(node, PassageNode):
        raise TypeError(f"{type(node).__name__} is no node of a passage")
    return node.candidate


def unit_length(vector: object) -> Vectors:
    """A sequence of numbers as float32, shape (dimension,), of length 1; zeros stay zeros."""
    values = np.asarray(vector, np.float32)
    unit: Vectors = values / max(float(np.linalg.norm(values)), 1e-12)
    return unit
