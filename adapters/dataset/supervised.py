"""Supervised examples: answers, refusals and Self-RAG's judgements, each after the served prompt.

The judgements (Asai et al. 2023) are learned from votes: what people thanked for was worth
retrieving, rested on relevant passages and was useful. What is not known is not taught: a
passage that a good answer does not cite may be relevant all the same, so "No" is said of
distractors alone, which hold no sentence of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.dataset.examples import Example, Kind
from adapters.dataset.exchanges import REFUSAL, Grounded
from adapters.dataset.prompt_sample import PromptSample
from bot.answering.cite import marks
from bot.domain import prompts
from bot.domain.values import Message


def answers(shown: Iterable[PromptSample]) -> Iterator[Example]:
    """The good answer of each exchange, or the refusal where nothing shown answers it."""
    for one in shown:
        good = one.exchange.good
        if good is None or not one.exchange.needs_documents:
            continue
        said = good if one.is_golden else REFUSAL
        kind = Kind.REFUSAL if said == REFUSAL else Kind.ANSWER
        yield Example(kind, one.prompt, one.said(said), one.exchange.origin)


def reflections(shown: Iterable[PromptSample]) -> Iterator[Example]:
    """At most one Yes and one No of each kind an exchange."""
    for one in shown:
        yield from _retrieve(one)
        if one.exchange.needs_documents:
            yield from _relevant(one)
            yield from _supported(one)
            yield from _useful(one)


def _retrieve(one: PromptSample) -> Iterator[Example]:
    if one.exchange.good:
        prefix = tuple(prompts.opening(one.exchange.question))
        is_needed = one.exchange.needs_documents
        yield _judgement(Kind.RETRIEVE, one, prefix, prompts.ROUTE, is_needed)


def _relevant(one: PromptSample) -> Iterator[Example]:
    good = one.exchange.good
    if good is None:
        return
    prefix = one.before_answering
    if one.is_golden and good.passages:
        probe = prompts.relevant(one.number(good.passages[0]))
        yield _judgement(Kind.RELEVANT, one, prefix, probe, True)
    if one.distractors:
        probe = prompts.relevant(one.number(one.distractors[0]))
        yield _judgement(Kind.RELEVANT, one, prefix, probe, False)


def _supported(one: PromptSample) -> Iterator[Example]:
    """The first sentence with its own marks, and with that of a distractor."""
    good = one.exchange.good
    if not (good and good.passages and one.is_golden):
        return
    first = Grounded(one.said(good)).sentences[0]
    if numbers := marks(first.text):
        prefix = (*one.prompt, Message("assistant", first.so_far))
        yield _judgement(Kind.SUPPORTED, one, prefix, prompts.supported(numbers), True)
    if one.distractors:
        wrong = one.number(one.distractors[0])
        misattributed = f"{Grounded(first.text).plain} [{wrong}]"
        prefix = (*one.prompt, Message("assistant", misattributed))
        yield _judgement(Kind.SUPPORTED, one, prefix, prompts.supported([wrong]), False)


def _useful(one: PromptSample) -> Iterator[Example]:
    if not one.is_golden:
        return
    for answer, is_useful in ((one.exchange.good, True), (one.exchange.bad, False)):
        if answer and answer != REFUSAL:
            prefix = (*one.prompt, Message("assistant", one.said(answer)))
            yield _judgement(Kind.USEFUL, one, prefix, prompts.USEFUL, is_useful)


def _judgement(
    kind: Kind, one: PromptSample, prefix: tuple[Message, ...], probe: str, holds: bool
) -> Example:
    completion = prompts.YES if holds else prompts.NO
    return Example(kind, (*prefix, Message("user", probe)), completion, one.exchange.origin)
