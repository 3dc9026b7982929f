"""A comparison as one HTML page for people who decide: no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.evaluate.comparison import Difference
from adapters.evaluate.evaluation_run import means
from adapters.evaluate.metrics import METRICS
from adapters.evaluate.plots import forest, side_by_side
from adapters.evaluate.results import Result, by_contestant
from adapters.evaluate.verdict import Verdict, amount, change
from adapters.runs.files import write_atomically

_TEMPLATE = Path(__file__).with_suffix(".html")
_WORTH = ("f1", "correct_refusal", "faithfulness")


@dataclass(frozen=True, slots=True)
class Report:
    """What is shown. ``one`` and ``other`` are the contestants that ``differences`` compare;
    ``labels`` name all contestants that are shown side by side, in that order.

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
    found = by_contestant(report.results)
    ours, theirs = found.get(report.one, {}), found.get(report.other, {})
    pairs = [
        Pair(ours[name], theirs[name], ours[name].scores[metric] - theirs[name].scores[metric])
        for name in sorted(ours.keys() & theirs.keys())
        if (metric := _shared_worth(ours[name], theirs[name]))
    ]
    return sorted(pairs, key=lambda pair: -pair.gain)


def _shared_worth(one: Result, other: Result) -> str | None:
    both = one.scores.keys() & other.scores.keys()
    return next((metric for metric in _WORTH if metric in both), None)
