"""The steps between search and answer, as LlamaIndex postprocessors.

Ours come first: recency prior, deduplication, reranking, neighbours. Those that the settings name
follow, each behind ``Guarded``.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import UTC, datetime

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from indexer.errors import ComponentError
from indexer.retrieval.neighbours import merged
from indexer.retrieval.nodes import Candidate, candidates_of, nodes_of, text_node_of
from indexer.retrieval.ranking import Freshness, folded, freshened, reranked
from indexer.retrieval.reranking import Reranker

_log = logging.getLogger(__name__)


class RecencyPrior(BaseNodePostprocessor):
    """Adds the bonus of a passage's age; see Freshness."""

    freshness: Freshness

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return nodes_of(freshened(candidates_of(nodes), self.freshness, datetime.now(UTC)))


class Deduplicate(BaseNodePostprocessor):
    """Of passages with the same words keeps one, and then the best ``limit`` of all."""

    limit: int

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return nodes_of(folded(candidates_of(nodes))[: self.limit])


class Rerank(BaseNodePostprocessor):
    """Scores each passage again by a model that reads it together with the question."""

    _reranker: Reranker = PrivateAttr()

    def __init__(self, reranker: Reranker) -> None:
        super().__init__()
        self._reranker = reranker

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        question = query_bundle.query_str if query_bundle else ""
        return nodes_of(reranked(candidates_of(nodes), self._reranker, question))


class MergeNeighbours(BaseNodePostprocessor):
    """Makes one passage of chunks that stand side by side in a document."""

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return nodes_of(merged(candidates_of(nodes)))


class Guarded(BaseNodePostprocessor):
    """A postprocessor that the settings name, held to scoring, ordering and dropping.

    It works on copies. Of what it returns only ids, order and scores are taken: a node that was
    not given to it is dropped, with a warning, whatever audience it claims. Text it has changed
    is refused, because answers quote passages verbatim. Raises ComponentError.
    """

    name: str
    """As the settings call it, for people."""
    _inner: BaseNodePostprocessor = PrivateAttr()

    def __init__(self, inner: BaseNodePostprocessor, name: str) -> None:
        super().__init__(name=name)
        self._inner = inner

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        given = {one.passage.chunk.id: one for one in candidates_of(nodes)}
        copies = [
            NodeWithScore(node=text_node_of(candidate.passage), score=candidate.passage.score)
            for candidate in given.values()
        ]
        question = QueryBundle(query_bundle.query_str if query_bundle else "")
        try:
            returned = list(self._inner.postprocess_nodes(copies, question))
        except Exception as error:  # what it says may quote passages
            raise ComponentError(
                f"{self.name} failed with {type(error).__name__}: mend it, or remove it from "
                "[[index.postprocessors]]."
            ) from error
        kept = [self._kept(one, given) for one in returned]
        if invented := kept.count(None):
            _log.warning("%s returned %d nodes that it was not given.", self.name, invented)
        return nodes_of(candidate for candidate in kept if candidate)

    def _kept(self, returned: NodeWithScore, given: dict[str, Candidate]) -> Candidate | None:
        """The candidate as it was given, with its new score; each is given back once."""
        candidate = given.pop(returned.node.node_id, None)
        if candidate is None:
            return None
        if returned.node.get_content() != candidate.passage.chunk.text:
            raise ComponentError(
                f"{self.name} changes what passages say, and answers quote them: remove it from "
                "[[index.postprocessors]]."
            )
        score = returned.score
        if score is None or not math.isfinite(score) or score == candidate.passage.score:
            return candidate
        return Candidate(
            replace(candidate.passage, score=float(score)),
            replace(candidate.explanation, reranked=float(score)),
        )
