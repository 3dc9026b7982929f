"""Candidate and serving model on the same questions: is the difference more than chance?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.evaluate.comparison import Difference
from adapters.evaluate.metrics import METRICS

FEWEST = 6
"""With fewer pairs no two-sided sign test can reach 5 %: 2 · ½⁵ = 6.25 %."""
_TAILS = (2.5, 97.5)
_AT_ONCE = 1000
_ZERO = 1e-12


def difference(
    metric: str,
    candidate: Sequence[float],
    serving: Sequence[float],
    *,
    resamples: int = 5000,
    seed: int = 0,
) -> Difference:
    """The paired bootstrap (Efron 1979; Koehn 2004): questions are drawn again and again with
    replacement, each with both answers. The same values and seed give the same result.

    ``candidate`` and ``serving`` have one value a question, in the same order, at least one. The
    interval holds the middle 95 % of the resampled mean differences; with fewer than ``FEWEST``
    questions it always holds 0, too.
    """
    one, other = np.asarray(candidate, float), np.asarray(serving, float)
    each = one - other
    means = _resampled_means(each, resamples, seed)
    low, high = (float(bound) for bound in np.percentile(means, _TAILS))
    if len(each) < FEWEST:
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


def _resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    chance = np.random.default_rng(seed)
    parts = [
        values[chance.integers(0, len(values), (size, len(values)))].mean(axis=1)
        for start in range(0, resamples, _AT_ONCE)
        if (size := min(_AT_ONCE, resamples - start))
    ]
    return np.concatenate(parts)
