"""The curves of a training run as a picture, and as the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_KEPT = ("step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm")


def history(logged: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """What a trainer logged, without what differs between two equal runs (durations)."""
    rows = ({key: entry[key] for key in _KEPT if key in entry} for entry in logged)
    return [row for row in rows if "loss" in row or "eval_loss" in row]


def draw(rows: list[dict[str, float]], path: Path, *, title: str) -> None:
    """Loss of training and validation by step, the learning rate below; a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes, key, label, style in (
        (above, "loss", "training", "-"),
        (above, "eval_loss", "validation", "o-"),
        (below, "learning_rate", "learning rate", "-"),
    ):
        points = [(row["step"], row[key]) for row in rows if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label, markersize=4)
    above.set(title=title, ylabel="loss a token")
    below.set(xlabel="step", ylabel="learning rate")
    above.legend()
    for axes in (above, below):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
