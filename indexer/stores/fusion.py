"""Two ranked lists of different units → one score in 0..1."""

from __future__ import annotations

from collections.abc import Mapping


def fuse(
    dense: Mapping[int, float], lexical: Mapping[int, float], dense_weight: float
) -> dict[int, float]:
    """Min-max normalise each leg over its own candidates, then add by weight.

    A candidate that a leg did not find counts 0 there.
    """
    similarity, match = _normalised(dense), _normalised(lexical)
    return {
        key: dense_weight * similarity.get(key, 0.0) + (1 - dense_weight) * match.get(key, 0.0)
        for key in {**dense, **lexical}
    }


def _normalised(scores: Mapping[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high == low:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}
