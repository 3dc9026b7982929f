"""Preferences: a correction over the answer it corrects (DPO), and bare thumbs (KTO)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.dataset.examples import LabelledAnswer, PreferencePair, Source
from adapters.dataset.prompt_sample import PromptSample


def pairs(samples: Iterable[PromptSample]) -> Iterator[PreferencePair]:
    """Where people said better what was answered worse, both over the same passages."""
    for sample in samples:
        good, bad = sample.exchange.good, sample.exchange.bad
        if good and bad and sample.is_golden and sample.said(good) != sample.said(bad):
            yield PreferencePair(
                sample.prompt, sample.said(good), sample.said(bad), sample.exchange.origin
            )


def thumbs(samples: Iterable[PromptSample]) -> Iterator[LabelledAnswer]:
    """Where people said yes or no to an answer and nothing else."""
    for sample in samples:
        good, bad = sample.exchange.good, sample.exchange.bad
        is_bare = sample.exchange.source is Source.VOTE and sample.exchange.needs_documents
        answer = good or bad
        if answer and is_bare and sample.is_golden:
            yield LabelledAnswer(
                messages=sample.prompt,
                completion=sample.said(answer),
                label=good is not None,
                origin=sample.exchange.origin,
                people=sample.exchange.people,
            )
