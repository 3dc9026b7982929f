"""The pictures of an evaluation: differences with their intervals, and everybody side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.evaluate.comparison import Difference
from adapters.evaluate.metrics import METRICS

BETTER, WORSE, UNCLEAR = "#1a7f5a", "#b3402a", "#7a828c"
_PALETTE = ("#1f5f99", "#9cc3e6", "#8a5a00", "#e5c07a", "#5d6570", "#c3c9d0")
_SIDE_BY_SIDE = "em f1 faithfulness answer_relevancy context_precision correct_refusal".split()
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "lorebot",
}


def forest(differences: Sequence[Difference], one: str, other: str) -> str:
    """The gain of ``one`` in each metric about answers, in percentage points, better to the
    right; an SVG as a data address, "" without any such metric.
    """
    shown = [each for each in differences if METRICS[each.metric].is_quality][::-1]
    if not shown:
        return ""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 0.8 + 0.42 * len(shown)), layout="constrained")
        axes = figure.subplots()
        for row, each in enumerate(shown):
            low, gain, high = _gains(each)
            colour = BETTER if each.is_better else WORSE if each.is_worse else UNCLEAR
            axes.plot([low, high], [row, row], color=colour, linewidth=3, solid_capstyle="butt")
            axes.plot([gain], [row], "o", color=colour, markersize=7)
        axes.axvline(0, color="#30363d", linewidth=1)
        widest = max(5.0, *(abs(bound) for each in shown for bound in _gains(each)))
        axes.set_xlim(-1.08 * widest, 1.08 * widest)
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.set_yticks(range(len(shown)), [METRICS[each.metric].title for each in shown])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"← {other} better      percentage points      {one} better →")
        axes.grid(axis="x", alpha=0.25)
        return _address(figure)


def side_by_side(means: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]) -> str:
    """Bars a metric, a colour a contestant, where at least one has it; an SVG as a data address,
    "" without any.
    """
    metrics = [one for one in _SIDE_BY_SIDE if any(one in each for each in means.values())]
    names = [name for name in labels if name in means]
    if not metrics or not names:
        return ""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 3.6), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(names)
        for place, name in enumerate(names):
            having = [at for at, metric in enumerate(metrics) if metric in means[name]]
            heights = [100 * means[name][metrics[at]] for at in having]
            bars = axes.bar(
                [at + (place - (len(names) - 1) / 2) * width for at in having],
                heights,
                width=0.92 * width,
                color=_PALETTE[place % len(_PALETTE)],
                label=labels[name],
            )
            axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=9)
        titles = [METRICS[each].title.replace(" ", "\n", 1) for each in metrics]
        axes.set_xticks(range(len(metrics)), titles)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.5, max(len(metrics), 4) - 0.5)
        axes.set_ylim(0, 110)
        axes.set_ylabel("per cent")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        return _address(figure)


def _gains(each: Difference) -> tuple[float, float, float]:
    """Low, gain and high in percentage points, positive where the first is better."""
    values = (each.low, each.difference, each.high)
    low, gain, high = (100 * value for value in values)
    return (low, gain, high) if each.higher_is_better else (-high, -gain, -low)


def _address(figure: Any) -> str:
    """The same figure makes the same bytes."""
    with io.BytesIO() as written:
        figure.savefig(written, format="svg", metadata={"Date": None})
        return "data:image/svg+xml;base64," + base64.b64encode(written.getvalue()).decode()
