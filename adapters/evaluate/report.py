"""Writes a comparison as one HTML page with its plots: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.evaluate.comparison import Difference, Verdict, amount, change
from adapters.evaluate.metrics import METRICS
from adapters.evaluate.results import Result, by_system, means
from adapters.runs.files import write_atomically

_TEMPLATE = Path(__file__).with_suffix(".html")
_WORTH = ("f1", "correct_refusal", "faithfulness")
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


@dataclass(frozen=True, slots=True)
class Report:
    """What is shown. ``one`` and ``other`` are the systems that ``differences`` compare;
    ``labels`` name all systems that are shown side by side, in that order.

    ``facts`` are sentences by heading: what was held out, who judged. All texts are plain.
    """

    title: str
    one: str
    other: str
    labels: Mapping[str, str]
    verdict: Verdict
    differences: Sequence[Difference]
    results: Sequence[Result]
    facts: Mapping[str, str]
    examples_shown: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Both answers to one question; ``gain`` in 0..1, positive where the first is better."""

    ours: Result
    theirs: Result
    gain: float


def write_report(path: Path, report: Report) -> Path:
    """Every text of a question, an answer or a model is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    pairs, averages = decided(report), means(report.results)
    shown = report.examples_shown
    page = template.render(
        report=report,
        metrics=METRICS,
        amount=amount,
        change=change,
        means=averages,
        measured=[name for name in METRICS if any(name in each for each in averages.values())],
        forest=forest(report.differences, report.labels[report.one], report.labels[report.other]),
        side_by_side=side_by_side(averages, report.labels),
        won=[pair for pair in pairs if pair.gain > 0][:shown],
        lost=[pair for pair in pairs if pair.gain < 0][::-1][:shown],
        won_in_all=sum(pair.gain > 0 for pair in pairs),
        lost_in_all=sum(pair.gain < 0 for pair in pairs),
        even=sum(pair.gain == 0 for pair in pairs),
    )
    write_atomically(path, page)
    return path


def decided(report: Report) -> list[Pair]:
    """Both answers to every question that both were asked, the largest gain first.

    An answer is worth its token F1, a refusal where no answer exists 1; where no expected answer
    is known, the share of supported claims.
    """
    found = by_system(report.results)
    ours, theirs = found.get(report.one, {}), found.get(report.other, {})
    pairs = [
        Pair(ours[name], theirs[name], ours[name].scores[metric] - theirs[name].scores[metric])
        for name in sorted(ours.keys() & theirs.keys())
        if (metric := _shared_worth(ours[name], theirs[name]))
    ]
    return sorted(pairs, key=lambda pair: -pair.gain)


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
    """Bars per metric that at least one system has, a colour per system; an SVG as a data address,
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


def _shared_worth(one: Result, other: Result) -> str | None:
    both = one.scores.keys() & other.scores.keys()
    return next((metric for metric in _WORTH if metric in both), None)


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
