"""The order of a question's candidates: deduplicate, rerank, apply a recency prior."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from indexer.documents import Passage
from indexer.retrieval.nodes import Candidate, Explanation
from indexer.retrieval.reranking import Reranker

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """A bonus for what was changed lately: ``weight`` / 2 for today's, 0 after ``half_life_days``,
    towards −``weight`` / 2 beyond; 0 for pages without a date. Scores span 0..1, so a small weight
    decides between near-equal ones only.
    """

    weight: float = 0.02
    half_life_days: float = 730.0

    def bonus(self, modified: datetime | None, now: datetime) -> float:
        if modified is None:
            return 0.0
        known = modified if modified.tzinfo else modified.replace(tzinfo=UTC)
        days = max((now - known).total_seconds() / _DAY_SECONDS, 0.0)
        left: float = 0.5 ** (days / self.half_life_days)
        return self.weight * (left - 0.5)


def candidates(found: Sequence[Passage], leg: int) -> list[Candidate]:
    """The store's passages, with their ranks in legs that contributed up to ``leg`` each."""
    lexical = sorted((passage.lexical for passage in found), reverse=True)
    dense = sorted((passage.similarity for passage in found), reverse=True)

    def explained(passage: Passage) -> Explanation:
        dense_rank = 1 + dense.index(passage.similarity)
        return Explanation(
            lexical_rank=1 + lexical.index(passage.lexical) if passage.lexical > 0 else None,
            lexical=passage.lexical,
            dense_rank=dense_rank if dense_rank <= leg else None,
            similarity=passage.similarity,
            fused=passage.score,
        )

    return [Candidate(passage, explained(passage)) for passage in found]


def in_order(found: Iterable[Candidate]) -> list[Candidate]:
    """Best first; equals keep their order."""
    return sorted(found, key=lambda one: -one.place)


def freshened(found: Iterable[Candidate], freshness: Freshness, now: datetime) -> list[Candidate]:
    """Each with the bonus of its age, in the order that results."""
    return in_order(
        replace(
            one,
            explanation=replace(
                one.explanation, freshness=freshness.bonus(one.passage.modified, now)
            ),
        )
        for one in found
    )


def folded(found: Sequence[Candidate]) -> list[Candidate]:
    """Of passages with the same words one stays, at the place of the best of them.

    ``found`` is in order and holds only what its reader may see: a twin of another audience can
    neither stay nor count.
    """
    twins: dict[str, list[Candidate]] = {}
    for one in found:
        twins.setdefault(" ".join(one.passage.chunk.text.split()), []).append(one)
    return [_foremost(group) for group in twins.values()]


def _foremost(twins: Sequence[Candidate]) -> Candidate:
    """The newest of those that stand under the best one's headings: other headings can give the
    same words another meaning."""
    best = twins[0]
    alike = [one for one in twins if one.passage.context == best.passage.context]
    newest = max(alike, key=lambda one: _moment(one.passage))
    return Candidate(
        replace(newest.passage, score=best.passage.score),
        replace(newest.explanation, freshness=best.explanation.freshness, folded=len(twins) - 1),
    )


def _moment(passage: Passage) -> float:
    return passage.modified.timestamp() if passage.modified else float("-inf")


def reranked(found: Sequence[Candidate], reranker: Reranker, question: str) -> list[Candidate]:
    """The same candidates, scored and ordered by the reranker instead of the store."""
    texts = [f"{one.passage.context}\n{one.passage.chunk.text}" for one in found]
    return in_order(
        Candidate(replace(one.passage, score=score), replace(one.explanation, reranked=score))
        for one, score in zip(found, reranker.scores(question, texts), strict=True)
    )
