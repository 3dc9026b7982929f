"""Passages for one question, only such as its audience may read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from indexer.documents import Audience, Passage, Vectors
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.retrieval.fused import Fused
from indexer.retrieval.nodes import Explanation, candidates_of, nodes_of, passages_of, unit_length
from indexer.retrieval.postprocessors import (
    Deduplicate,
    Guarded,
    MergeNeighbours,
    RecencyPrior,
    Rerank,
)
from indexer.retrieval.ranking import Freshness, candidates
from indexer.retrieval.reranking import Reranker
from indexer.stores.base import Frequencies, SearchRequest, Store

_SLIGHT = Freshness()


class AudienceRetriever(BaseRetriever):
    """Hybrid search for ONE audience: made for a question, with those who read its answer.

    ``audience`` cannot be left out or changed later, and is checked behind every step, also behind
    ``postprocessors`` and the retrievers in ``fused``, which the settings name. ``candidates`` is
    what each leg of the search contributes and the most that is reranked; ``limit`` is how many
    passages are returned. ``sources`` narrows the search to documents of these sources; empty
    means all. A query bundle's ``custom_embedding_strs`` (HyDE) or ``embedding`` stand in for the
    question in the dense leg; the words are always the question's.
    Raises EmbedderError, RerankerError, ComponentError and StoreError.
    """

    def __init__(
        self,
        store: Store,
        embedding: LlamaCppEmbedding,
        audience: Audience,
        *,
        limit: int = 6,
        candidates: int = 30,
        dense_weight: float = 0.5,
        freshness: Freshness = _SLIGHT,
        merge_neighbours: bool = True,
        reranker: Reranker | None = None,
        postprocessors: Sequence[Guarded] = (),
        fused: Sequence[Fused] = (),
        sources: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self._store = store
        self._embedding = embedding
        self._audience = audience
        self._limit = limit
        self._candidates = candidates
        self._dense_weight = dense_weight
        self._sources = frozenset(sources)
        self._fused = fused
        self._postprocessors: list[BaseNodePostprocessor] = [
            RecencyPrior(freshness=freshness),
            Deduplicate(limit=candidates),
            *([Rerank(reranker)] if reranker else ()),
            *([MergeNeighbours()] if merge_neighbours else ()),
            *postprocessors,
        ]

    def passages(self, question: str) -> list[Passage]:
        """The best passages, best first."""
        return passages_of(self.retrieve(question))

    def explained(
        self, question: str, vector: Vectors | None = None
    ) -> list[tuple[Passage, Explanation]]:
        """The same passages, each with how it came to its place; ``vector`` as a bundle's."""
        bundle = QueryBundle(question, embedding=None if vector is None else vector.tolist())
        found = candidates_of(self.retrieve(bundle))
        return [(one.passage, one.explanation) for one in found]

    def frequencies(self, words: Sequence[str]) -> Frequencies:
        """How rare words are among the chunks that this audience may read."""
        return self._store.frequencies(words, self._audience, self._sources)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = candidates(self._search(query_bundle), self._candidates)
        for postprocessor in self._postprocessors:
            nodes = postprocessor.postprocess_nodes(nodes_of(found), query_bundle)
            found = [one for one in candidates_of(nodes) if self._may_see(one.passage)]
        return nodes_of(found[: self._limit])

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def _search(self, query_bundle: QueryBundle) -> list[Passage]:
        """All that either leg found, and the retrievers that are fused in."""
        vector = self._vector(query_bundle)
        request = SearchRequest(
            text=query_bundle.query_str,
            vector=vector,
            audience=self._audience,
            limit=2 * self._candidates,
            candidates=self._candidates,
            dense_weight=self._dense_weight,
            sources=self._sources,
        )
        # The store has filtered already; a store that errs must not be able to leak.
        found = [*self._store.search(request), *self._from_fused(query_bundle.query_str, vector)]
        return [passage for passage in found if self._may_see(passage)]

    def _from_fused(self, question: str, vector: Vectors) -> Iterator[Passage]:
        for retriever in self._fused:
            if not self._sources or retriever.name in self._sources:
                yield from retriever.passages(
                    question, vector, self._embedding.embed, self._audience
                )

    def _vector(self, query_bundle: QueryBundle) -> Vectors:
        """Shape (dimension,), of unit length: as given, else the mean of what is to be embedded."""
        if query_bundle.embedding is not None:
            return unit_length(query_bundle.embedding)
        texts = query_bundle.custom_embedding_strs or [query_bundle.query_str]
        return unit_length(self._embedding.embed(texts).mean(axis=0))

    def _may_see(self, passage: Passage) -> bool:
        return passage.audience.admits(self._audience)
