"""Whether a candidate may answer: what an evaluation must show before people get it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.evaluate.comparison import Difference, amount
from adapters.evaluate.metrics import METRICS, Unit
from adapters.settings import PromoteTable


def objections(table: PromoteTable, differences: Sequence[Difference]) -> list[str]:
    """Why the measured candidate may not answer, in sentences; none where it may."""
    wanted = next((each for each in differences if each.metric == table.metric), None)
    others = (each for each in differences if each.metric != table.metric)
    return [*_no_win(table, wanted), *(told for each in others for told in _loss(table, each))]


def _no_win(table: PromoteTable, wanted: Difference | None) -> Iterator[str]:
    title = METRICS[table.metric].title.lower()
    if wanted is None or wanted.count < table.min_questions:
        yield (
            f"There are {wanted.count if wanted else 0} held-out questions with {title} measured, "
            f"and {table.min_questions} are needed: collect more votes and corrections, or name "
            "golden questions."
        )
    elif not wanted.is_better:
        unit = METRICS[table.metric].unit
        yield (
            f"It does not win: {title} is {amount(wanted.candidate, unit)} against "
            f"{amount(wanted.serving, unit)}, and the 95 % interval of the difference reaches from "
            f"{wanted.low:+.3f} to {wanted.high:+.3f}."
        )


def _loss(table: PromoteTable, one: Difference) -> Iterator[str]:
    metric = METRICS[one.metric]
    allowed = table.tolerances.get(one.metric, _tolerance(table, one))
    is_sure = metric.is_quality or one.is_worse  # the time that an answer takes varies by itself
    if -one.gain > allowed and is_sure:
        yield (
            f"It is worse in {metric.title.lower()}: {amount(one.candidate, metric.unit)} against "
            f"{amount(one.serving, metric.unit)}, further than the {allowed:.3g} that is tolerated."
        )


def _tolerance(table: PromoteTable, one: Difference) -> float:
    """In the metric's own unit; slower by half is two thirds of the speed."""
    unit = METRICS[one.metric].unit
    if unit is Unit.SECONDS:
        return table.slowdown * one.serving
    if unit is Unit.TOKENS_PER_SECOND:
        return one.serving * table.slowdown / (1 + table.slowdown)
    return table.tolerance
