"""Supervised examples: answers, refusals and Self-RAG's judgements, each after the served prompt.

The judgements (Asai et al. 2023) are learned from votes: what people thanked for was worth
retrieving, rested on relevant passages and was useful. What is not known is not taught: a
passage that a good answer does not cite may be relevant all the same, so "No" is said of
distractors alone, which hold no sentence of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adapters.dataset.examples import Example, Kind
from adapters.dataset.exchanges import REFUSAL, Grounded
from adapters.dataset.prompt_sample import PromptSample
from bot.answering.cite import marks
from bot.domain import prompts
from bot.domain.values import Message

JUDGEMENTS = (Kind.RETRIEVE, Kind.RELEVANT, Kind.SUPPORTED, Kind.USEFUL)
_MOST_TO_ONE = 4


def answers(samples: Iterable[PromptSample]) -> Iterator[Example]:
    """The good answer of each exchange, or the refusal where nothing shown answers it."""
    for sample in samples:
        good = sample.exchange.good
        if good is None or not sample.exchange.needs_documents:
            continue
        said = good if sample.is_golden else REFUSAL
        kind = Kind.REFUSAL if said == REFUSAL else Kind.ANSWER
        yield Example(kind, sample.prompt, sample.said(said), sample.exchange.origin)


def reflections(samples: Iterable[PromptSample]) -> Iterator[Example]:
    """At most one Yes and one No of each kind per exchange."""
    for sample in samples:
        yield from _retrieve(sample)
        if sample.exchange.needs_documents:
            yield from _relevant(sample)
            yield from _supported(sample)
            yield from _useful(sample)


def balanced(examples: Sequence[Example]) -> list[Example]:
    """The examples in their order, of each kind of judgement the commoner answer at most four times
    as often as the other; which ones stay is decided by the names of their exchanges.

    Votes say much more often that documents were needed than that they were not.
    """
    kept = {id(example) for example in examples if example.kind not in JUDGEMENTS}
    for kind in JUDGEMENTS:
        by_answer: dict[str, list[Example]] = {}
        for example in examples:
            if example.kind is kind:
                by_answer.setdefault(example.completion, []).append(example)
        rarest = min(map(len, by_answer.values())) if len(by_answer) > 1 else 0
        for same in by_answer.values():
            kept |= {id(example) for example in _by_name(same)[: _MOST_TO_ONE * rarest]}
    return [example for example in examples if id(example) in kept]


def _retrieve(sample: PromptSample) -> Iterator[Example]:
    if sample.exchange.good:
        prefix = tuple(prompts.opening(sample.exchange.question))
        is_needed = sample.exchange.needs_documents
        yield _judgement(Kind.RETRIEVE, sample, prefix, prompts.ROUTE, is_needed)


def _relevant(sample: PromptSample) -> Iterator[Example]:
    good = sample.exchange.good
    if good is None:
        return
    prefix = sample.before_answering
    if sample.is_golden and good.passages:
        probe = prompts.relevant(sample.number(good.passages[0]))
        yield _judgement(Kind.RELEVANT, sample, prefix, probe, True)
    if sample.distractors:
        probe = prompts.relevant(sample.number(sample.distractors[0]))
        yield _judgement(Kind.RELEVANT, sample, prefix, probe, False)


def _supported(sample: PromptSample) -> Iterator[Example]:
    """The first sentence with its own marks, and with that of a distractor."""
    good = sample.exchange.good
    if not (good and good.passages and sample.is_golden):
        return
    first = Grounded(sample.said(good)).sentences[0]
    if numbers := marks(first.text):
        prefix = (*sample.prompt, Message("assistant", first.so_far))
        yield _judgement(Kind.SUPPORTED, sample, prefix, prompts.supported(numbers), True)
    if sample.distractors:
        wrong = sample.number(sample.distractors[0])
        misattributed = f"{Grounded(first.text).plain} [{wrong}]"
        prefix = (*sample.prompt, Message("assistant", misattributed))
        yield _judgement(Kind.SUPPORTED, sample, prefix, prompts.supported([wrong]), False)


def _useful(sample: PromptSample) -> Iterator[Example]:
    if not sample.is_golden:
        return
    for answer, is_useful in ((sample.exchange.good, True), (sample.exchange.bad, False)):
        if answer and answer != REFUSAL:
            prefix = (*sample.prompt, Message("assistant", sample.said(answer)))
            yield _judgement(Kind.USEFUL, sample, prefix, prompts.USEFUL, is_useful)


def _judgement(
    kind: Kind, sample: PromptSample, prefix: tuple[Message, ...], probe: str, holds: bool
) -> Example:
    completion = prompts.YES if holds else prompts.NO
    return Example(kind, (*prefix, Message("user", probe)), completion, sample.exchange.origin)


def _by_name(examples: Iterable[Example]) -> list[Example]:
    return sorted(examples, key=lambda example: example.origin.exchange)
