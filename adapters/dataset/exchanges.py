"""A question and what people made of its answer: the one value that all examples are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from adapters.dataset.deduplicate import normalised
from adapters.dataset.examples import Origin, Source
from bot.answering.cite import Numbering, renumbered, with_marks, without_marks
from bot.answering.generate import lexical_support
from bot.answering.languages import language_of
from bot.answering.sentences import Sentence, joined, whole_sentences
from bot.domain.prompts import NOTHING_FOUND
from bot.domain.values import Question
from indexer.documents import Passage


@dataclass(frozen=True, slots=True)
class Grounded:
    """An answer and the passages that it cites: ``[1]`` is the first of them."""

    text: str
    passages: tuple[Passage, ...] = ()

    @property
    def plain(self) -> str:
        return without_marks(self.text)

    @property
    def sentences(self) -> list[Sentence]:
        return list(whole_sentences(iter([self.text])))

    def over(self, shown: Sequence[Passage]) -> str:
        """The text with the numbers that its passages have among those shown.

        A mark whose passage is not shown goes; the numbers of one mark stay in order.
        """
        places = {passage.chunk.id: number for number, passage in enumerate(shown, start=1)}
        numbers = [places.get(passage.chunk.id) for passage in self.passages]

        def now(given: int) -> int | None:
            return numbers[given - 1] if 1 <= given <= len(numbers) else None

        return renumbered(self.text, now)


REFUSAL = Grounded(NOTHING_FOUND)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question, and the answer that should be given or should not.

    ``good`` is what people want to read, ``bad`` what they did not; one of both may be missing.
    ``seen`` are other passages that were found for the question, best first; ``people`` says how
    many judged. Where ``needs_documents`` is false, small talk was rightly answered as such.
    """

    id: str
    question: Question
    source: Source
    good: Grounded | None = None
    bad: Grounded | None = None
    seen: tuple[Passage, ...] = ()
    asked_at: datetime | None = None
    people: int = 1
    needs_documents: bool = True

    @property
    def thread(self) -> str:
        return f"{self.question.channel}:{self.question.thread}"

    @property
    def is_refusal(self) -> bool:
        return self.good == REFUSAL

    @property
    def cited(self) -> tuple[Passage, ...]:
        """What the good and the bad answer rest on, each once."""
        both = (*(self.good or REFUSAL).passages, *(self.bad or REFUSAL).passages)
        return tuple({passage.chunk.id: passage for passage in both}.values())

    @property
    def origin(self) -> Origin:
        documents = dict.fromkeys(passage.chunk.document_id for passage in self.cited)
        return Origin(
            exchange=self.id,
            source=self.source,
            question=self.question.text,
            thread=self.thread,
            channel=self.question.channel,
            asked_at=self.asked_at,
            audience=self.question.audience.sorted(),
            documents=tuple(documents),
        )

    def random(self, seed: int, purpose: str) -> Random:
        """Chance that depends on nothing but the seed, this exchange and the purpose."""
        return Random(f"{seed}:{purpose}:{self.id}")  # noqa: S311 - no secret


def exchange_id(question: str, answer: str) -> str:
    """Names question and answer over all rebuilds, whatever passages are shown beside them."""
    content = f"{normalised(question)}\0{normalised(without_marks(answer))}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def ground(text: str, passages: Sequence[Passage], support: float) -> Grounded | None:
    """A person's words, each sentence with the passage that holds most of it.

    Sentences of which no passage holds the share ``support`` are left out, as they would be from
    an answer of the model; None where nothing remains.
    """
    numbering = Numbering()
    kept: list[str] = []
    for sentence in Grounded(text).sentences:
        best = max(passages, key=lambda passage: support_of(sentence, passage), default=None)
        if best and support_of(sentence, best) >= support:
            kept.append(with_marks(sentence.text, [numbering.number(best)]))
    passages_cited = tuple(citation.passage for citation in numbering.citations)
    return Grounded(joined(kept), passages_cited) if kept else None


def support_of(sentence: Sentence, passage: Passage) -> float:
    """The share of a sentence's words that a passage holds, in 0..1."""
    return lexical_support(sentence.claim, [passage], language_of(sentence.claim))
