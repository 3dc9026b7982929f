"""Counters and histograms of this process, and any metric in Prometheus' text format.

Written here because it is little: the format is three kinds of line, and all that this process
counts fits into a dictionary a meter. A meter never has more than a set number of series, so that
no mistake with a label can fill whatever scrapes it.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

SERIES = 200
"""The most that one meter has; what comes later is counted together, as ``other``."""
_OTHER = "other"
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: a value with its labels; ``suffix`` is what follows the metric's name."""

    value: float
    labels: Labels = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with all its series, also where it has none yet."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[Sample, ...]


def exposition(metrics: Iterable[Metric]) -> str:
    """In the text format, version 0.0.4."""
    return "".join(line for metric in metrics for line in _lines(metric))


class Counter:
    """Only ever grows. Safe from several threads."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self._help = text
        self._labels = tuple(labels)
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, ...], float] = {}

    def add(self, *values: str, by: float = 1.0) -> None:
        """``values`` are those of the labels, in their order."""
        with self._lock:
            key = _bounded(values, self._labels, self._counts)
            self._counts[key] = self._counts.get(key, 0.0) + by

    def metric(self) -> Metric:
        with self._lock:
            counts = dict(self._counts)
        samples = (Sample(count, _named(self._labels, key)) for key, count in counts.items())
        return Metric(self.name, "counter", self._help, tuple(samples))


class Histogram:
    """Durations in seconds. Safe from several threads."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self._help = text
        self._labels = tuple(labels)
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, seconds: float, *values: str) -> None:
        """``values`` are those of the labels, in their order."""
        with self._lock:
            key = _bounded(values, self._labels, self._buckets)
            counts = self._buckets.setdefault(key, [0] * (len(_SECONDS) + 1))
            counts[bisect_left(_SECONDS, seconds)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + seconds

    def metric(self) -> Metric:
        with self._lock:
            buckets = {key: list(counts) for key, counts in self._buckets.items()}
            sums = dict(self._sums)
        samples = (
            sample
            for key, counts in buckets.items()
            for sample in _histogram(_named(self._labels, key), counts, sums[key])
        )
        return Metric(self.name, "histogram", self._help, tuple(samples))


def _histogram(labels: Labels, counts: Sequence[int], total: float) -> Iterator[Sample]:
    """Each bucket counts what is in the smaller ones too."""
    so_far = 0
    for limit, count in zip((*map(str, _SECONDS), "+Inf"), counts, strict=True):
        so_far += count
        yield Sample(so_far, {**labels, "le": limit}, "_bucket")
    yield Sample(total, labels, "_sum")
    yield Sample(so_far, labels, "_count")


def _bounded(
    values: tuple[str, ...], labels: tuple[str, ...], known: Mapping[tuple[str, ...], object]
) -> tuple[str, ...]:
    if len(values) != len(labels):
        raise ValueError(f"{len(values)} values for the labels {', '.join(labels)}")
    return values if values in known or len(known) < SERIES else (_OTHER,) * len(labels)


def _named(labels: Sequence[str], values: Sequence[str]) -> Labels:
    return dict(zip(labels, values, strict=True))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
    for sample in metric.samples:
        pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        labels = f"{{{pairs}}}" if pairs else ""
        yield f"{metric.name}{sample.suffix}{labels} {float(sample.value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
