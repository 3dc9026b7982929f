"""Answering with a language model: only sentences that their sources support are ever shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from bot.answering.cite import Numbering, marks, with_marks
from bot.answering.conversation import Conversation
from bot.answering.languages import Language, language_of
from bot.answering.sentences import Sentence, joined, whole_sentences
from bot.answering.words import content_words, identifiers, stems
from bot.domain.errors import Cancelled
from bot.domain.prompts import NOTHING_FOUND
from bot.domain.thresholds import Thresholds
from bot.domain.values import Citation, Reflection
from indexer.documents import Passage
from indexer.stores.terms import stem

Pair = tuple[int, int]


@dataclass(slots=True)
class Draft:
    """What is left of a model's answer; ``text`` is empty where nothing was supported.

    ``spoken`` is all of it as it was streamed, and ``cut`` whether a sentence of that is gone.
    ``refused`` says that the model itself found no answer in the passages, ``stopped`` why the
    answer was not finished.
    """

    numbering: Numbering = field(default_factory=Numbering)
    kept: list[str] = field(default_factory=list)
    reflections: list[Reflection] = field(default_factory=list)
    spoken: str = ""
    cut: bool = False
    refused: bool = False
    stopped: Cancelled | None = None

    @property
    def text(self) -> str:
        return joined(self.kept)

    @property
    def as_judged(self) -> str:
        """What is left, in the words that a model's prefix cache holds as far as it may be."""
        return self.text if self.cut else self.spoken

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self.numbering.citations


def generate(
    conversation: Conversation,
    *,
    relevant: Sequence[int],
    conflicts: Sequence[Pair],
    language: Language,
    thresholds: Thresholds,
    show: Callable[[str], None],
    checking: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Draft:
    """Stream an answer, keep each sentence that its own citations support, and show it.

    ``show`` is called with the whole supported text so far, so that no reader sees a sentence that
    is withdrawn later. Passages that are not ``relevant`` support nothing. Each sentence is judged
    within ``checking()``. Raises ModelError, except Cancelled: then the draft holds what was
    supported until then.
    """
    draft = Draft()
    checker = _Checker(conversation, relevant, language, thresholds)
    try:
        for sentence in whole_sentences(conversation.answer(relevant, conflicts, language.name)):
            if NOTHING_FOUND.lower() in sentence.text.lower():
                draft.refused = not draft.kept
                return draft
            with checking():
                cited, probability = checker.support(sentence)
            draft.reflections.append(Reflection("supported", sentence.claim, probability))
            draft.spoken = sentence.so_far
            if not cited or probability < thresholds.supported:
                draft.cut = True
                continue
            numbers = sorted({draft.numbering.number(conversation.passages[n - 1]) for n in cited})
            draft.kept.append(with_marks(sentence.text, numbers))
            show(draft.text)
    except Cancelled as stopped:
        draft.stopped = stopped
    return draft


class _Checker:
    """First by words and numbers, which is cheap and certain; then by the model's own judgement."""

    def __init__(
        self,
        conversation: Conversation,
        relevant: Sequence[int],
        language: Language,
        thresholds: Thresholds,
    ) -> None:
        self._conversation = conversation
        self._relevant = relevant
        self._language = language
        self._thresholds = thresholds

    def support(self, sentence: Sentence) -> tuple[list[int], float]:
        """The numbers of the passages a sentence rests on, and how probably they state it.

        A sentence is held to its own marks; without any, to the passage that holds most of its
        words. Nothing but what passes the words is worth asking the model about.
        """
        given = marks(sentence.text)
        cited = [number for number in given if number in self._relevant]
        if not given:
            cited = [max(self._relevant, key=lambda number: self._held(sentence.claim, [number]))]
        if not cited or self._held(sentence.claim, cited) < self._thresholds.words:
            return cited, 0.0
        return cited, self._conversation.support(sentence.so_far, cited)

    def _held(self, claim: str, numbers: Sequence[int]) -> float:
        cited = [self._conversation.passages[number - 1] for number in numbers]
        return lexical_support(claim, cited, self._language)


def lexical_support(claim: str, cited: Sequence[Passage], language: Language) -> float:
    """The share of a claim's words that stand in the passages, in 0..1.

    A number or identifier that they do not hold makes it 0. Where the asker's language is
    another than theirs, only those can be compared.
    """
    text = "\n".join(f"{passage.context}\n{passage.chunk.text}" for passage in cited)
    if identifiers(claim) - identifiers(text):
        return 0.0
    if language_of(text, language) != language:
        return 1.0
    claimed = {stem(word) for word in content_words(claim)}
    return len(claimed & stems(text)) / len(claimed) if claimed else 0.0
