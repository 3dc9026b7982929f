"""Preferences: a correction over the answer it corrects (DPO), and bare thumbs (KTO)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.dataset.examples import LabelledAnswer, PreferencePair, Source
from adapters.dataset.prompt_sample import PromptSample


def pairs(shown: Iterable[PromptSample]) -> Iterator[PreferencePair]:
    """Where people said better what was answered worse, both over the same passages."""
    for one in shown:
        good, bad = one.exchange.good, one.exchange.bad
        if good and bad and one.is_golden and one.said(good) != one.said(bad):
            yield PreferencePair(one.prompt, one.said(good), one.said(bad), one.exchange.origin)


def thumbs(shown: Iterable[PromptSample]) -> Iterator[LabelledAnswer]:
    """Where people said yes or no to an answer and nothing else."""
    for one in shown:
        good, bad = one.exchange.good, one.exchange.bad
        is_bare = one.exchange.source is Source.VOTE and one.exchange.needs_documents
        answer = good or bad
        if answer and is_bare and one.is_golden:
            yield LabelledAnswer(
                messages=one.prompt,
                completion=one.said(answer),
                label=good is not None,
                origin=one.exchange.origin,
                people=one.exchange.people,
            )
