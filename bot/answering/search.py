"""Finding evidence for one question: hybrid search, and once more by a hypothetical answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import QueryBundle

from bot.answering.hyde import hypothetical, may_help
from bot.answering.judge import AnswerabilityScorer, Evidence
from bot.answering.notes import Notes
from bot.domain.values import Question, Reflection
from bot.serving.model import Cancellation, LanguageModel
from indexer.chunking.chunking import embedded_text
from indexer.documents import Chunk, Document, Passage
from indexer.index import Index
from indexer.retrieval.nodes import passages_of

_ATTACHED_CHUNKS = 200
_ATTACHED_PASSAGES = 6


@dataclass(frozen=True, slots=True)
class Found:
    """Passages as they were retrieved, and all evidence in them, best first."""

    passages: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]

    @property
    def best(self) -> float:
        """The probability that the likeliest excerpt answers the question."""
        return max((found.probability for found in self.evidence), default=0.0)

    def plausible(self, threshold: float) -> list[Passage]:
        """Passages with at least one excerpt that reaches the threshold, best first."""
        found = {
            one.excerpt.passage.chunk.id: one.excerpt.passage
            for one in self.evidence
            if one.probability >= threshold
        }
        known = {passage.chunk.id: passage for passage in self.passages}
        return [known[chunk] for chunk in found]

    @property
    def reflections(self) -> list[Reflection]:
        """A passage is as good as its best excerpt."""
        best: dict[str, float] = {}
        for found in self.evidence:
            chunk = found.excerpt.passage.chunk.id
            best[chunk] = max(found.probability, best.get(chunk, 0.0))
        return [Reflection("evidence", chunk, probability) for chunk, probability in best.items()]


class Search:
    """Searches for one question, with the audience of those who will read the answer."""

    def __init__(
        self,
        index: Index,
        scorer: AnswerabilityScorer,
        question: Question,
        notes: Notes,
        attachments: Sequence[Document] = (),
    ) -> None:
        self._index = index
        self._embed = index.embedding.embed
        self._retriever = index.retriever(question.audience, question.sources)
        self._scorer = scorer
        self._notes = notes
        self._text = question.text
        self._attachments = attachments

    def by_question(self) -> Found:
        """Raises IndexerError."""
        with self._notes.measure("retrieve"):
            passages = [*self._attached(), *self._retrieved(QueryBundle(self._text))]
        return self._scored(passages)

    @property
    def may_hypothesise(self) -> bool:
        return may_help(self._text)

    def by_hypothesis(
        self, found: Found, model: LanguageModel, cancellation: Cancellation | None
    ) -> Found:
        """What was found, and what a hypothetical answer finds (HyDE); the best of both.

        Raises ModelError and IndexerError.
        """
        with self._notes.measure("hypothesis"):
            hypothesis = hypothetical(self._text, model, cancellation)
        with self._notes.measure("retrieve"):
            more = self._retrieved(hypothesis)
        known = {passage.chunk.id for passage in found.passages}
        both = [*found.passages, *(one for one in more if one.chunk.id not in known)]
        return self._scored(both, limit=len(found.passages) or len(more))

    def _retrieved(self, asked: QueryBundle) -> list[Passage]:
        return passages_of(self._retriever.retrieve(asked))

    def _attached(self) -> list[Passage]:
        """The attachments' passages that are most like the question, best first."""
        pieces = [
            (document, chunk)
            for document in self._attachments
            for chunk in self._index.chunker.chunks(document)[:_ATTACHED_CHUNKS]
        ]
        if not pieces:
            return []
        texts = [embedded_text(document.title, chunk) for document, chunk in pieces]
        vectors = self._embed([self._text, *texts])
        passages = [
            _passage(document, chunk, float(vector @ vectors[0]))
            for (document, chunk), vector in zip(pieces, vectors[1:], strict=True)
        ]
        return sorted(passages, key=lambda passage: -passage.similarity)[:_ATTACHED_PASSAGES]

    def _scored(self, passages: Sequence[Passage], limit: int | None = None) -> Found:
        with self._notes.measure("evidence"):
            evidence = self._scorer.judge(self._text, passages, self._retriever.frequencies)
        best = list(dict.fromkeys(one.excerpt.passage.chunk.id for one in evidence))[:limit]
        return Found(
            tuple(one for one in passages if limit is None or one.chunk.id in best),
            tuple(one for one in evidence if one.excerpt.passage.chunk.id in best),
        )


def _passage(document: Document, chunk: Chunk, similarity: float) -> Passage:
    return Passage(
        chunk,
        document.title,
        document.audience,
        score=similarity,
        similarity=similarity,
        lexical=0.0,
        url=document.url,
        modified=document.modified,
    )
