"""What a comparison comes to, in one sentence that a manager can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from adapters.evaluate.comparison import Difference
from adapters.evaluate.metrics import METRICS, Unit


class Outcome(StrEnum):
    """Of the metrics about answers; speed decides nothing here."""

    BETTER = "better"
    MIXED = "mixed"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    sentence: str


def verdict(differences: Sequence[Difference], one: str, other: str) -> Verdict:
    """``one`` and ``other`` name the two in the sentence, which begins with ``one``."""
    quality = [each for each in differences if METRICS[each.metric].is_quality]
    better = [each for each in quality if each.is_better]
    worse = [each for each in quality if each.is_worse]
    if better and worse:
        return Verdict(
            Outcome.MIXED,
            f"{one} is better than {other} in {_named(better)}, but worse in {_named(worse)}.",
        )
    if better:
        return Verdict(
            Outcome.BETTER,
            f"{one} is better than {other} in {_named(better)}, and in nothing measurably worse.",
        )
    if worse:
        return Verdict(
            Outcome.WORSE,
            f"{one} is worse than {other} in {_named(worse)}, and in nothing measurably better.",
        )
    count = max((each.count for each in quality), default=0)
    return Verdict(
        Outcome.UNDECIDED,
        f"No difference between {_within(one)} and {other} can be shown with {count} questions.",
    )


def amount(value: float, unit: Unit) -> str:
    """As people write it: shares in per cent."""
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    return f"{value:.2f}" if unit is Unit.SECONDS else f"{value:,.0f}"


def change(value: float, unit: Unit) -> str:
    """With its sign, 0 without; of shares in percentage points."""
    if unit is Unit.SECONDS:
        return f"{value:+.2f}"
    rounded = round(100 * value) if unit is Unit.SHARE else round(value)
    return f"{rounded:+,}" if rounded else "0"


def _named(some: Sequence[Difference]) -> str:
    """The largest first, with both means."""
    largest = sorted(some, key=lambda each: -abs(each.difference))
    told = [
        f"{_within(METRICS[each.metric].title)} ({amount(each.candidate, Unit.SHARE)} against "
        f"{amount(each.serving, Unit.SHARE)})"
        for each in largest
    ]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _within(words: str) -> str:
    """As they stand within a sentence."""
    return words[:1].lower() + words[1:]
