"""Finding evidence for one question: hybrid search, and once more by a hypothetical answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import QueryBundle

from bot.answering.hyde import hypothetical, may_help
from bot.answering.judge import AnswerabilityScorer, Evidence
from bot.answering.notes import Notes
from bot.answering.words import content_words, stems
from bot.domain.values import Question, Reflection
from bot.serving.model import Cancellation, LanguageModel
from indexer.chunking.chunking import embedded_text
from indexer.documents import Chunk, CutDocument, Document, Passage, Vectors
from indexer.index import Index
from indexer.retrieval.nodes import passages_of

_ATTACHED_CHUNKS = 200
_EMBEDDED_CHUNKS = 64
_CHUNKS_AT_ONCE = 32
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
        attachments: Sequence[Document | CutDocument] = (),
        cancellation: Cancellation | None = None,
    ) -> None:
        """Attachments that are cut already are searched as they are. A search ends, by Cancelled,
        soon after a person has stopped it.
        """
        self._index = index
        self._cancellation = cancellation or Cancellation()
        self._embed = index.embedding.embed
        self._retriever = index.retriever(question.audience, question.sources)
        self._scorer = scorer
        self._notes = notes
        self._text = question.text
        self._attachments = attachments

    def by_question(self) -> Found:
        """Raises IndexerError and Cancelled."""
        with self._notes.measure("retrieve"):
            passages = self._cancellation.unless_stopped(
                lambda: [*self._attached(), *self._retrieved(QueryBundle(self._text))]
            )
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
            more = self._cancellation.unless_stopped(lambda: self._retrieved(hypothesis))
        known = {passage.chunk.id for passage in found.passages}
        both = [*found.passages, *(one for one in more if one.chunk.id not in known)]
        return self._scored(both, limit=len(found.passages) or len(more))

    def _retrieved(self, asked: QueryBundle) -> list[Passage]:
        return passages_of(self._retriever.retrieve(asked))

    def _attached(self) -> list[Passage]:
        """The attachments' passages that are most like the question, best first."""
        cut = [self._cut(one) for one in self._attachments]
        pieces = [(one.document, chunk) for one in cut for chunk in one.chunks]
        if not pieces:
            return []
        pieces = _likeliest(self._text, pieces)
        texts = [embedded_text(document.title, chunk) for document, chunk in pieces]
        vectors = self._vectors([self._text, *texts])
        passages = [
            _passage(document, chunk, float(vector @ vectors[0]))
            for (document, chunk), vector in zip(pieces, vectors[1:], strict=True)
        ]
        return sorted(passages, key=lambda passage: -passage.similarity)[:_ATTACHED_PASSAGES]

    def _cut(self, attached: Document | CutDocument) -> CutDocument:
        if isinstance(attached, CutDocument):
            return attached
        return CutDocument(attached, tuple(self._index.chunker.chunks(attached)[:_ATTACHED_CHUNKS]))

    def _vectors(self, texts: Sequence[str]) -> list[Vectors]:
        """A few at a time, so that others' questions come in between, and a stop is heard."""
        vectors: list[Vectors] = []
        for start in range(0, len(texts), _CHUNKS_AT_ONCE):
            if self._cancellation.stopped:
                raise self._cancellation.reason
            vectors.extend(self._embed(texts[start : start + _CHUNKS_AT_ONCE]))
        return vectors

    def _scored(self, passages: Sequence[Passage], limit: int | None = None) -> Found:
        with self._notes.measure("evidence"):
            evidence = self._cancellation.unless_stopped(
                lambda: self._scorer.judge(self._text, passages, self._retriever.frequencies)
            )
        best = list(dict.fromkeys(one.excerpt.passage.chunk.id for one in evidence))[:limit]
        return Found(
            tuple(one for one in passages if limit is None or one.chunk.id in best),
            tuple(one for one in evidence if one.excerpt.passage.chunk.id in best),
        )


def _likeliest(
    question: str, pieces: Sequence[tuple[Document, Chunk]]
) -> list[tuple[Document, Chunk]]:
    """As many as may be embedded: those that share the rarest words with the question, in doubt the
    first. Embedding is what a long file costs, and everybody's questions wait for the same cores.
    """
    if len(pieces) <= _EMBEDDED_CHUNKS:
        return list(pieces)
    asked = stems(" ".join(content_words(question)))
    shared = [asked & stems(chunk.text) for _, chunk in pieces]
    often = Counter(word for words in shared for word in words)
    weights = [sum(1 / often[word] for word in words) for words in shared]
    best = sorted(range(len(pieces)), key=lambda place: -weights[place])[:_EMBEDDED_CHUNKS]
    return [pieces[place] for place in sorted(best)]


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
