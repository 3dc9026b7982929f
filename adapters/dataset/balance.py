"""Judgements in balance: a kind of which only one answer is known would teach to say just that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.dataset.examples import Example, Kind

JUDGEMENTS = (Kind.RETRIEVE, Kind.RELEVANT, Kind.SUPPORTED, Kind.USEFUL)
_MOST_TO_ONE = 4


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


def _by_name(examples: Iterable[Example]) -> list[Example]:
    return sorted(examples, key=lambda example: example.origin.exchange)
