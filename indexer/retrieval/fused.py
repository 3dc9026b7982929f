"""Retrievers of other packages whose finds join those of the index."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from indexer.documents import Audience, Chunk, Passage, Vectors
from indexer.errors import AudienceError, ComponentError

_log = logging.getLogger(__name__)

Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Fused:
    """A retriever that the settings name, with what they say of its finds.

    ``audience`` may read what it finds; a node that names an ``audience`` in its metadata is only
    for readers whom both admit. Its scores are divided by the best of them and multiplied by
    ``weight``, so that they can stand beside the index's in 0..1.
    """

    retriever: BaseRetriever
    name: str
    audience: Audience
    weight: float

    def passages(
        self, question: str, vector: Vectors, embed: Embed, reader: Audience
    ) -> list[Passage]:
        """For ``reader``; ``vector`` is the question's, shape (dimension,).

        A retriever whose audience does not admit the reader is not asked. Raises ComponentError.
        """
        if not self.audience.admits(reader):
            return []
        try:
            found = [one for one in self.retriever.retrieve(QueryBundle(question)) if one.text]
        except Exception as error:  # what it says may quote documents
            raise ComponentError(
                f"The retriever {self.name} failed with {type(error).__name__}: mend it, or "
                "remove it from [[index.retrievers]]."
            ) from error
        if not found:
            return []
        similarities = embed([one.text for one in found]) @ vector
        best = max((one.score or 0.0 for one in found), default=0.0)
        passages = [
            self._passage(one, (one.score or 0.0) / best if best > 0 else 0.0, float(similarity))
            for one, similarity in zip(found, similarities, strict=True)
        ]
        return [passage for passage in passages if passage]

    def _passage(self, scored: NodeWithScore, share: float, similarity: float) -> Passage | None:
        node, metadata = scored.node, scored.node.metadata
        title = str(metadata.get("title") or metadata.get("file_name") or self.name)
        audience, own = self.audience, metadata.get("audience")
        if own is not None:
            try:
                audience = self.audience.narrowed(Audience.parse(own)) or Audience.parse(own)
            except (AudienceError, TypeError):
                _log.warning("The retriever %s found a node of an unknown audience.", self.name)
                return None
        return Passage(
            Chunk(f"{self.name}:{node.node_id}", 0, scored.text),
            title,
            audience,
            score=self.weight * max(share, 0.0),
            similarity=similarity,
            lexical=0.0,
            url=str(metadata.get("url") or ""),
        )
