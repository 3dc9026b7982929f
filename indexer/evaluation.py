"""Measure retrieval on judged questions: nDCG, recall and MRR of each leg and of both fused.

The measures are trec_eval's (https://github.com/usnistgov/trec_eval), as BEIR reports them (Thakur
et al. 2021): equal scores rank by descending id, and a question whose relevant documents are not
found, or that has none, counts 0.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.documents import PUBLIC, Audience, Passage, Vectors
from indexer.embedding.embedder_file import find_embedder
from indexer.errors import EvaluationError
from indexer.index import Index, open_index
from indexer.settings import IndexSettings, IndexTable
from indexer.sources.beir import BeirCorpus, Judgements, read_judgements, read_questions
from indexer.stores.base import SearchRequest, Store
from indexer.sync.sync import Progress, no_progress

_SHALLOW, _DEEP = 10, 100
# Two legs of this size are the most that a Weaviate server returns unless told otherwise.
_MAX_CANDIDATES = 5000
_READER = Audience.of(PUBLIC)

Found = Sequence[tuple[str, float]]
"""Document and score of every chunk that a leg found."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Means over all judged questions, each in 0..1; ``mrr`` is MRR@10."""

    ndcg_at_10: float
    recall_at_10: float
    recall_at_100: float
    mrr: float

    def named(self) -> dict[str, float]:
        """By the names under which they are printed."""
        return {
            "ndcg@10": self.ndcg_at_10,
            "recall@10": self.recall_at_10,
            "recall@100": self.recall_at_100,
            "mrr": self.mrr,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``fused`` is of both legs together; ``lexical`` and ``dense`` are the legs alone."""

    questions: int
    fused: Measures
    lexical: Measures
    dense: Measures

    def named(self) -> dict[str, float | dict[str, float]]:
        """The fused measures by name, those of the legs as objects beside them."""
        return {
            **self.fused.named(),
            "lexical": self.lexical.named(),
            "dense": self.dense.named(),
        }


@dataclass(frozen=True, slots=True)
class _Rankings:
    """Of one question: document ids best first, each ranked by its best chunk."""

    fused: Sequence[str]
    lexical: Sequence[str]
    dense: Sequence[str]


def evaluate(folder: Path, settings: IndexSettings, progress: Progress = no_progress) -> Evaluation:
    """Index the folder's corpus as the settings say and ask every judged question.

    The index is kept below ``cache_dir`` (a Weaviate server keeps it in a collection of its own),
    so that a second run embeds only the questions. As in production each leg contributes
    ``candidates`` chunks per question, more only where those belong to too few documents to rank
    10 or 100. Raises EvaluationError, EmbedderError and StoreError.
    """
    judgements = read_judgements(folder)
    questions = read_questions(folder, judgements)
    with _indexed(BeirCorpus(folder), settings, progress) as index:
        _check_judged(judgements, index.store)
        vectors = index.embedding.embed(list(questions.values()))
        asked = list(zip(questions.items(), vectors, strict=True))
        shallow, deep = (
            {
                question: _rankings(index.store, text, vector, depth, settings.index)
                for (question, text), vector in asked
            }
            for depth in (_SHALLOW, _DEEP)
        )

    def measures(leg: str) -> Measures:
        return _measures(
            judgements,
            {question: getattr(rankings, leg) for question, rankings in shallow.items()},
            {question: getattr(rankings, leg) for question, rankings in deep.items()},
        )

    return Evaluation(len(judgements), measures("fused"), measures("lexical"), measures("dense"))


def ranked(found: Found) -> list[str]:
    """Documents by their best score, equal ones by descending id."""
    best: dict[str, float] = {}
    for document, score in found:
        best[document] = max(score, best.get(document, score))
    return sorted(best, key=lambda document: (best[document], document), reverse=True)


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """nDCG@``depth`` in 0..1 (Järvelin & Kekäläinen 2002), with the grade as gain.

    As in trec_eval, gain is discounted by log2(rank + 1); the paper divides by log_b(rank), from
    rank b on.
    """
    ideal = _discounted(sorted(grades.values(), reverse=True)[:depth])
    gain = _discounted(grades.get(document, 0) for document in ranking[:depth])
    return gain / ideal if ideal else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """Recall@``depth``: the share of the relevant documents that are among the first ``depth``."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """1 / the rank of the first relevant document, 0 beyond ``depth`` (Voorhees 1999, TREC-8)."""
    ranks = (rank for rank, one in enumerate(ranking[:depth], 1) if grades.get(one, 0) > 0)
    return 1 / next(ranks, math.inf)


def _discounted(grades: Iterable[int]) -> float:
    return sum(max(grade, 0) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _measures(
    judgements: Judgements, shallow: Mapping[str, Sequence[str]], deep: Mapping[str, Sequence[str]]
) -> Measures:
    def mean(values: Iterable[float]) -> float:
        return math.fsum(values) / len(judgements)

    return Measures(
        mean(ndcg(shallow[one], grades, _SHALLOW) for one, grades in judgements.items()),
        mean(recall(shallow[one], grades, _SHALLOW) for one, grades in judgements.items()),
        mean(recall(deep[one], grades, _DEEP) for one, grades in judgements.items()),
        mean(reciprocal_rank(shallow[one], grades, _SHALLOW) for one, grades in judgements.items()),
    )


def _rankings(store: Store, text: str, vector: Vectors, depth: int, table: IndexTable) -> _Rankings:
    """The rankings of all legs from one search, whose passages hold the scores of both legs.

    A ``dense_weight`` of 0 or 1 would not do: what one leg found last and what only the other
    found get the same fused score.
    """
    candidates = max(table.candidates, depth)
    while True:
        passages = store.search(
            SearchRequest(
                text,
                vector,
                _READER,
                limit=2 * candidates,
                candidates=candidates,
                dense_weight=table.dense_weight,
            )
        )
        lexical, dense = _lexical(passages), _dense(passages, candidates)
        rankings = _Rankings(_fused(passages), ranked(lexical), ranked(dense))
        legs = ((lexical, rankings.lexical), (dense, rankings.dense))
        too_short = any(
            len(found) >= candidates and len(ranking) < depth for found, ranking in legs
        )
        if not too_short or candidates >= _MAX_CANDIDATES:
            return rankings
        candidates = min(2 * candidates, _MAX_CANDIDATES)


def _fused(passages: Sequence[Passage]) -> list[str]:
    return ranked([(passage.chunk.document_id, passage.score) for passage in passages])


def _lexical(passages: Sequence[Passage]) -> Found:
    return [(one.chunk.document_id, one.lexical) for one in passages if one.lexical > 0]


def _dense(passages: Sequence[Passage], candidates: int) -> Found:
    """Without what only the lexical leg found: that is less similar than all of the dense leg."""
    nearest = sorted(passages, key=lambda passage: -passage.similarity)[:candidates]
    return [(one.chunk.document_id, one.similarity) for one in nearest]


@contextmanager
def _indexed(corpus: BeirCorpus, settings: IndexSettings, progress: Progress) -> Iterator[Index]:
    with open_index(_own_index(settings, corpus)) as index:
        reports = [index.apply(plan, progress) for plan in index.plan([corpus])]
        for report in reports:
            if report.failure:
                raise EvaluationError(report.failure)
        index.finish(reports)
        yield index


def _own_index(settings: IndexSettings, corpus: BeirCorpus) -> IndexSettings:
    """Settings for an index of this corpus and embedder alone."""
    embedder = find_embedder(settings.index.embedder, settings.cache_dir).identity
    key = hashlib.sha256(f"{corpus.digest} {embedder}".encode()).hexdigest()[:16]
    collection = f"{settings.store.collection[:70]}Evaluation{key}"
    return settings.model_copy(
        update={
            "data_dir": settings.cache_dir / "evaluations" / key,
            "store": settings.store.model_copy(update={"collection": collection}),
        }
    )


def _check_judged(judgements: Judgements, store: Store) -> None:
    """Raises EvaluationError if no judged document is indexed; single ones may be missing."""
    judged = {document for grades in judgements.values() for document in grades}
    if judged.isdisjoint(store.documents()):
        raise EvaluationError(
            "No judged document is in the corpus; check that corpus.jsonl and qrels/test.tsv "
            "belong together."
        )
