"""What the two legs of a search found, fused into passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from indexer.documents import Passage
from indexer.stores.base import SearchRequest
from indexer.stores.fusion import fuse
from indexer.stores.weaviate_schema import Hit, Record


def passages(
    request: SearchRequest,
    dense: Sequence[Hit],
    lexical: Sequence[Hit],
    records: Mapping[str, Record],
) -> list[Passage]:
    """Best first; each hit's record is among ``records``."""
    scores = fuse(
        {hit.key: hit.similarity for hit in dense},
        {hit.key: hit.score for hit in lexical},
        request.dense_weight,
    )
    top = max((hit.score for hit in lexical), default=0.0) or 1.0
    hits = {hit.key: hit for hit in (*dense, *lexical)}
    found = [
        _passage(hit, records[hit.chunk.document_id], scores[hit.key], hit.score / top)
        for hit in hits.values()
    ]
    found.sort(key=lambda one: (-one.score, one.chunk.document_id, one.chunk.position))
    return found[: request.limit]


def _passage(hit: Hit, record: Record, score: float, lexical: float) -> Passage:
    return Passage(
        chunk=hit.chunk,
        title=record.title,
        audience=record.audience,
        score=score,
        similarity=hit.similarity,
        lexical=lexical,
        url=record.url,
        modified=record.modified_at(),
    )
