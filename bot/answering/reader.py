"""With a language model: judges the passages of one question, and writes what they support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.answering.conversation import Conversation
from bot.answering.generate import Draft, generate
from bot.answering.languages import Language
from bot.answering.notes import Notes
from bot.answering.search import Found
from bot.answering.written import Written, disagreements, not_found, quoted, stopped
from bot.domain.errors import DeadlineExceeded
from bot.domain.thresholds import Thresholds
from bot.domain.values import Ending, Question
from bot.serving.model import Cancellation, LanguageModel


@dataclass(frozen=True, slots=True)
class Reading:
    """The passages as the model has them before it: numbers of the relevant and the conflicting."""

    conversation: Conversation
    relevant: list[int]
    conflicts: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SelfRagAnswerer:
    """All methods note each judgement, and raise ModelError."""

    model: LanguageModel
    question: Question
    language: Language
    thresholds: Thresholds
    answer_tokens: int
    notes: Notes
    cancellation: Cancellation

    def read(self, found: Found) -> Reading | None:
        """The plausible passages, judged; None where none of them is relevant."""
        plausible = found.plausible(self.thresholds.plausible)
        if not plausible:
            return None
        conversation = Conversation(
            self.model,
            self.question,
            plausible,
            answer_tokens=self.answer_tokens,
            cancellation=self.cancellation,
        )
        relevant = self._relevant(conversation)
        return Reading(conversation, relevant, self._conflicts(conversation, relevant))

    def write(self, reading: Reading | None, found: Found, show: Callable[[str], None]) -> Written:
        """The model's supported words, else the documents' own, else that nothing was found."""
        if reading is None or not reading.relevant:
            return not_found(self.language)
        draft = generate(
            reading.conversation,
            relevant=reading.relevant,
            conflicts=reading.conflicts,
            language=self.language,
            thresholds=self.thresholds,
            show=show,
            checking=partial(self.notes.measure, "check"),
        )
        self.notes.reflections += draft.reflections
        if draft.text and self._is_useful(reading.conversation, draft):
            return self._written(reading, draft)
        if draft.refused or draft.text:
            return not_found(self.language)
        if draft.stopped and not isinstance(draft.stopped, DeadlineExceeded):
            return stopped(self.language)
        return quoted(found, self.thresholds, self.language)

    def _relevant(self, conversation: Conversation) -> list[int]:
        relevant = []
        for number, probability in enumerate(conversation.relevance(), start=1):
            passage = conversation.passages[number - 1]
            self.notes.reflect("relevant", passage.chunk.id, probability)
            if probability >= self.thresholds.relevant:
                relevant.append(number)
        return relevant

    def _conflicts(self, conversation: Conversation, relevant: list[int]) -> list[tuple[int, int]]:
        """Compares the best passage with each other one; a pair of others is not compared."""
        pairs = [(relevant[0], other) for other in relevant[1:]]
        conflicts = []
        for pair, probability in zip(pairs, conversation.conflicts(pairs), strict=True):
            chunks = " ".join(conversation.passages[number - 1].chunk.id for number in pair)
            self.notes.reflect("conflicting", chunks, probability)
            if probability >= self.thresholds.conflicting:
                conflicts.append(pair)
        return conflicts

    def _is_useful(self, conversation: Conversation, draft: Draft) -> bool:
        if draft.stopped:
            return True  # there is no time left to ask
        with self.notes.measure("check"):
            probability = conversation.usefulness(draft.as_judged)
        self.notes.reflect("useful", "", probability)
        return probability >= self.thresholds.useful

    def _written(self, reading: Reading, draft: Draft) -> Written:
        passages = reading.conversation.passages
        pairs = [(passages[one - 1], passages[other - 1]) for one, other in reading.conflicts]
        parts = [draft.text, disagreements(pairs, draft.numbering, self.language)]
        if draft.stopped:
            late = isinstance(draft.stopped, DeadlineExceeded)
            parts.append(self.language.cut_short if late else self.language.stopped)
        return Written("\n\n".join(filter(None, parts)), Ending.GENERATED, draft.citations)
