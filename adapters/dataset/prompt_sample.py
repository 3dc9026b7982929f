"""An exchange with the passages that are shown beside it, in an order that says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.dataset.distractors import Distractors
from adapters.dataset.exchanges import Exchange, Grounded
from adapters.settings import DatasetTable
from bot.answering.languages import language_of
from bot.domain.prompts import answer_messages, with_passages
from bot.domain.values import Message
from indexer.documents import Passage


@dataclass(frozen=True, slots=True)
class PromptSample:
    """``passages`` are the cited ones among ``distractors``, or these alone where ``is_golden`` is
    false: then nothing that is shown answers the question.
    """

    exchange: Exchange
    passages: tuple[Passage, ...]
    distractors: tuple[Passage, ...]
    is_golden: bool = True

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What the answer follows, as it is served."""
        question = self.exchange.question
        language = language_of(question.text).name
        return tuple(answer_messages(question, self.passages, language=language))

    @property
    def before_answering(self) -> tuple[Message, ...]:
        """What the passages are judged after, as it is served."""
        return tuple(with_passages(self.exchange.question, self.passages))

    def said(self, answer: Grounded) -> str:
        """An answer with the numbers of these passages."""
        return answer.over(self.passages)

    def number(self, passage: Passage) -> int:
        """From 1. Raises ValueError for a passage that is not shown."""
        return [one.chunk.id for one in self.passages].index(passage.chunk.id) + 1


def show(
    exchanges: Sequence[Exchange], distractors: Distractors, table: DatasetTable
) -> list[PromptSample]:
    """Each exchange with its passages; those that need documents and have none are left out."""
    shown = (_arranged(exchange, distractors, table) for exchange in exchanges)
    return [one for one in shown if one.passages or not one.exchange.needs_documents]


def drop_oracle(shown: Iterable[PromptSample], table: DatasetTable) -> list[PromptSample]:
    """The same, with the golden passages taken away from the share that the settings name.

    Only answers that rest on passages, and have distractors to show instead, can lose them.
    """
    everything = list(shown)
    able = [one for one in everything if _rests_on_passages(one) and one.distractors]
    able.sort(key=lambda one: one.exchange.random(table.seed, "golden").random())
    absent = {one.exchange.id for one in able[: round((1 - table.golden_present) * len(able))]}
    return [_emptied(one, table.seed) if one.exchange.id in absent else one for one in everything]


def _rests_on_passages(shown: PromptSample) -> bool:
    good = shown.exchange.good
    return good is not None and bool(good.passages)


def _arranged(exchange: Exchange, distractors: Distractors, table: DatasetTable) -> PromptSample:
    chosen = distractors.of(exchange, table.distractors)
    passages = [*exchange.cited, *chosen]
    exchange.random(table.seed, "order").shuffle(passages)
    return PromptSample(exchange, tuple(passages), tuple(chosen))


def _emptied(shown: PromptSample, seed: int) -> PromptSample:
    passages = list(shown.distractors)
    shown.exchange.random(seed, "order").shuffle(passages)
    return PromptSample(shown.exchange, tuple(passages), shown.distractors, is_golden=False)
