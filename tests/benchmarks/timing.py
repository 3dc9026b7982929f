"""Contestants timed in turns, A B A B, so that the machine's other work slows both alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

Contestant = Callable[[int], object]
"""Does its work of one round; only the time counts."""


def in_turns(rounds: int, *contestants: Contestant) -> list[list[float]]:
    """Seconds of every round, by contestant."""
    seconds: list[list[float]] = [[] for _ in contestants]
    for number in range(rounds):
        for contestant, taken in zip(contestants, seconds, strict=True):
            start = time.perf_counter()
            contestant(number)
            taken.append(time.perf_counter() - start)
    return seconds


def milliseconds(seconds: list[float]) -> float:
    """The median."""
    return round(1000 * median(seconds), 1)
