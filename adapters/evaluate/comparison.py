"""Compares two systems on the same questions: paired bootstrap, verdict, and the JSON between.

Promotion decides on the ``Difference`` values that are written here; a person reads the verdict.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.errors import EvaluationError
from adapters.evaluate.metrics import METRICS, Unit
from adapters.evaluate.results import Result, by_system
from adapters.runs.files import write_atomically

MIN_PAIRS = 6
"""With fewer pairs no two-sided sign test can reach 5 %: 2 · ½⁵ = 6.25 %."""
_TAILS = (2.5, 97.5)
_RESAMPLES_TOGETHER = 1000
_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """The candidate against the serving model in one metric.

    ``candidate`` and ``serving`` are means over the ``count`` questions that both were measured
    on; ``difference`` is candidate − serving, ``low``..``high`` its 95 % confidence interval.
    ``p_no_gain`` is the share of resamples in which the candidate is no better than the serving
    model. All are in the metric's own unit: most in 0..1, seconds and tokens per second not.
    """

    metric: str
    candidate: float
    serving: float
    difference: float
    low: float
    high: float
    higher_is_better: bool
    count: int
    p_no_gain: float = 1.0

    @property
    def gain(self) -> float:
        """The difference, positive where the candidate is better."""
        return self.difference if self.higher_is_better else -self.difference

    @property
    def is_better(self) -> bool:
        """The whole interval lies on the better side."""
        return self.low > 0 if self.higher_is_better else self.high < 0

    @property
    def is_worse(self) -> bool:
        """The whole interval lies on the worse side."""
        return self.high < 0 if self.higher_is_better else self.low > 0


class Outcome(StrEnum):
    """Of the metrics about answers; speed decides nothing here."""

    BETTER = "better"
    MIXED = "mixed"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison comes to, in one sentence that a manager can read."""

    outcome: Outcome
    sentence: str


def compare(
    results: Sequence[Result], one: str, other: str, *, resamples: int, seed: int
) -> list[Difference]:
    """One system against another, in every metric that both have on at least one question."""
    found = by_system(results)
    ours, theirs = found.get(one, {}), found.get(other, {})
    differences = []
    for metric in METRICS:
        pairs = [
            (ours[question].scores[metric], theirs[question].scores[metric])
            for question in sorted(ours.keys() & theirs.keys())
            if metric in ours[question].scores and metric in theirs[question].scores
        ]
        if pairs:
            values = zip(*pairs, strict=True)
            differences.append(paired_bootstrap(metric, *values, resamples=resamples, seed=seed))
    return differences


def paired_bootstrap(
    metric: str,
    candidate: Sequence[float],
    serving: Sequence[float],
    *,
    resamples: int = 5000,
    seed: int = 0,
) -> Difference:
    """The paired bootstrap (Efron 1979; for systems on one test set Koehn 2004, "Statistical
    Significance Tests for Machine Translation Evaluation"): questions are drawn with replacement,
    each with both answers. The same values and seed give the same result.

    ``candidate`` and ``serving`` have one value per question, in the same order, at least one. The
    interval holds the middle 95 % of the resampled mean differences (percentile method). It departs
    from Koehn in two ways: with fewer than ``MIN_PAIRS`` questions it always holds 0, too, and
    ``p_no_gain`` counts the observed sample as one of the resamples, so that it is never 0.
    """
    one, other = np.asarray(candidate, float), np.asarray(serving, float)
    each = one - other
    means = _resampled_means(each, resamples, seed)
    low, high = (float(bound) for bound in np.percentile(means, _TAILS))
    if len(each) < MIN_PAIRS:
        low, high = min(low, 0.0), max(high, 0.0)
    higher_is_better = METRICS[metric].higher_is_better
    gains = means if higher_is_better else -means
    return Difference(
        metric=metric,
        candidate=float(one.mean()),
        serving=float(other.mean()),
        difference=float(each.mean()),
        low=low,
        high=high,
        higher_is_better=higher_is_better,
        count=len(each),
        p_no_gain=(1 + int((gains <= _ZERO).sum())) / (1 + resamples),
    )


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


def write_comparison(path: Path, differences: Sequence[Difference]) -> None:
    rows = [asdict(difference) for difference in differences]
    write_atomically(path, json.dumps({"differences": rows}, indent=2, allow_nan=False) + "\n")


def read_comparison(path: Path) -> list[Difference]:
    """What ``write_comparison`` wrote. Raises EvaluationError where it is missing or damaged."""
    try:
        return [Difference(**row) for row in json.loads(path.read_text("utf-8"))["differences"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EvaluationError(
            f"The comparison {path} cannot be read ({type(error).__name__}); run evaluate again."
        ) from error


def _resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Shape (resamples,); drawn in blocks, which bounds the memory."""
    chance = np.random.default_rng(seed)
    parts = [
        values[chance.integers(0, len(values), (size, len(values)))].mean(axis=1)
        for start in range(0, resamples, _RESAMPLES_TOGETHER)
        if (size := min(_RESAMPLES_TOGETHER, resamples - start))
    ]
    return np.concatenate(parts)


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
