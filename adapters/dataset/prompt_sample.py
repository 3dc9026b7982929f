"""An exchange with the passages that are shown beside it, in an order that says nothing."""

from __future__ import annotations

from collections.abc import Sequence
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


def prompt_samples(
    exchanges: Sequence[Exchange], distractors: Distractors, table: DatasetTable
) -> list[PromptSample]:
    """One per exchange; those that need documents and have none are left out."""
    samples = (_arranged(exchange, distractors, table) for exchange in exchanges)
    return [each for each in samples if each.passages or not each.exchange.needs_documents]


def drop_oracle(samples: Sequence[PromptSample], table: DatasetTable) -> list[PromptSample]:
    """The same, with the golden passages taken away from the share that the settings name (RAFT,
    Zhang et al. 2024, arXiv:2403.10131).

    Only answers that rest on passages, and have distractors to show instead, can lose them. Where
    RAFT teaches the answer all the same, to be known by heart, here it is a refusal.
    """
    able = [each for each in samples if _rests_on_passages(each) and each.distractors]
    able.sort(key=lambda each: each.exchange.random(table.seed, "golden").random())
    count = round((1 - table.golden_present) * len(able))
    dropped = {each.exchange.id for each in able[:count]}
    return [
        _without_golden(each, table.seed) if each.exchange.id in dropped else each
        for each in samples
    ]


def _rests_on_passages(sample: PromptSample) -> bool:
    good = sample.exchange.good
    return good is not None and bool(good.passages)


def _arranged(exchange: Exchange, distractors: Distractors, table: DatasetTable) -> PromptSample:
    chosen = distractors.of(exchange, table.distractors)
    passages = [*exchange.cited, *chosen]
    exchange.random(table.seed, "order").shuffle(passages)
    return PromptSample(exchange, tuple(passages), tuple(chosen))


def _without_golden(sample: PromptSample, seed: int) -> PromptSample:
    passages = list(sample.distractors)
    sample.exchange.random(seed, "order").shuffle(passages)
    return PromptSample(sample.exchange, tuple(passages), sample.distractors, is_golden=False)
