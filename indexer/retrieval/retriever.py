"""Passages for one question, only such as its reader may see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index_instrumentation import get_dispatcher

from indexer.documents import Audience, Passage, Vectors
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.retrieval.neighbours import merged
from indexer.retrieval.nodes import node_of, unit_length
from indexer.retrieval.ranking import (
    Candidate,
    Explanation,
    Freshness,
    candidates,
    folded,
    freshened,
    reranked,
)
from indexer.retrieval.reranking import Reranker
from indexer.stores.base import Frequencies, SearchRequest, Store

_SLIGHT = Freshness()
_dispatcher = get_dispatcher(__name__)


class AudienceRetriever(BaseRetriever):
    """Hybrid search for ONE reader: made for a question, with the audience of its answer.

    ``audience`` cannot be left out or changed later. ``candidates`` is what each leg of the search
    contributes and the most that is reranked; ``limit`` is how many passages are returned.
    ``sources`` narrows the search to documents of these sources; empty means all.
    Raises EmbedderError, RerankerError and StoreError.
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
        sources: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self._store = store
        self._embedding = embedding
        self._audience = audience
        self._limit = limit
        self._candidates = candidates
        self._dense_weight = dense_weight
        self._freshness = freshness
        self._merge_neighbours = merge_neighbours
        self._reranker = reranker
        self._sources = frozenset(sources)

    def passages(self, query: str, vector: Vectors | None = None) -> list[Passage]:
        """The best passages, best first.

        ``vector``, of unit length, stands in for the query's own in the dense leg (HyDE); words
        are always the query's.
        """
        return [passage for passage, _ in self.explained(query, vector)]

    @_dispatcher.span
    def explained(
        self, query: str, vector: Vectors | None = None
    ) -> list[tuple[Passage, Explanation]]:
        """The same passages, each with how it came to its place."""
        now = datetime.now(UTC)
        found = freshened(self._search(query, vector), self._freshness, now)
        found = folded(found)[: self._candidates]
        if self._reranker is not None:
            found = reranked(found, self._reranker, query)
        if self._merge_neighbours:
            found = merged(found)
        readable = [one for one in found if self._may_see(one.passage)]
        return [(one.passage, one.explanation) for one in readable[: self._limit]]

    def frequencies(self, words: Sequence[str]) -> Frequencies:
        """How rare words are among the chunks this reader may see."""
        return self._store.frequencies(words, self._audience, self._sources)

    def _search(self, query: str, vector: Vectors | None) -> list[Candidate]:
        """All that either leg found."""
        if vector is None:
            vector = self._embedding.embed([query])[0]
        request = SearchRequest(
            text=query,
            vector=vector,
            audience=self._audience,
            limit=2 * self._candidates,
            candidates=self._candidates,
            dense_weight=self._dense_weight,
            sources=self._sources,
        )
        # The store has filtered already; a store that errs must not be able to leak.
        found = [one for one in self._store.search(request) if self._may_see(one)]
        return candidates(found, self._candidates)

    def _may_see(self, passage: Passage) -> bool:
        return passage.audience.admits(self._audience)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        given = query_bundle.embedding
        if given is None and query_bundle.custom_embedding_strs:  # HyDE's hypotheses
            given = self._embedding.get_agg_embedding_from_queries(query_bundle.embedding_strs)
        vector = None if given is None else unit_length(given)
        passages = self.passages(query_bundle.query_str, vector)
        return [NodeWithScore(node=node_of(one), score=one.score) for one in passages]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
