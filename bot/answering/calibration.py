"""Fitting thresholds to what people said of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.domain.thresholds import Thresholds
from bot.domain.values import Answer, Ending, Reason, Thumb
from bot.records.feedback import Judged

FEWEST = 20  # labels of either kind, below which a threshold is left alone
_FOLDS = 5
_PRICE_OF_WRONG = 2.0  # a wrong answer that is let through, in right ones that are held back


@dataclass(frozen=True, slots=True)
class Label:
    """A judgement of probability ``probability``, and whether people showed it to be right."""

    threshold: str
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """``fitted`` is None where there are too few labels.

    Losses are of the labels, in 0..1, with a wrong one let through counted twice: that of the
    present threshold, and that of fitted ones on labels they were not fitted on (five folds).
    """

    threshold: str
    right: int
    wrong: int
    present: float
    fitted: float | None = None
    loss_present: float = 0.0
    loss_fitted: float = 0.0


def labels(judged: Iterable[Judged]) -> Iterator[Label]:
    """What votes and reasons say of the judgements behind each answer.

    Only answers on which people agree count. A thumb up speaks for all that was cited and
    written; a thumb down against the answer as a whole, and against its sentences only where
    a person says that it is wrong.
    """
    for one in judged:
        thumbs = {vote.thumb for vote in one.votes}
        if len(thumbs) == 1:
            reasons = {correction.reason for correction in one.corrections}
            yield from _of_answer(one.answer, Thumb.UP in thumbs, Reason.WRONG in reasons)


def fits(found: Sequence[Label], present: Thresholds) -> list[Fit]:
    """One fit a threshold that votes can speak of."""
    names = ("relevant", "supported", "useful", "quote")
    return [
        _fit(name, [label for label in found if label.threshold == name], getattr(present, name))
        for name in names
    ]


def _of_answer(answer: Answer, right: bool, wrong: bool) -> Iterator[Label]:
    cited = {citation.passage.chunk.id for citation in answer.citations}
    if answer.ending is Ending.QUOTED:
        evidence = [one.probability for one in answer.reflections if one.kind == "evidence"]
        if evidence:
            yield Label("quote", max(evidence), right)
    if answer.ending is not Ending.GENERATED:
        return
    for reflection in answer.reflections:
        kept = reflection.subject in answer.text
        if reflection.kind == "useful":
            yield Label("useful", reflection.probability, right)
        elif reflection.kind == "relevant" and reflection.subject in cited:
            yield Label("relevant", reflection.probability, right)
        elif reflection.kind == "supported" and kept and (right or wrong):
            yield Label("supported", reflection.probability, right)


def _fit(name: str, found: Sequence[Label], present: float) -> Fit:
    right = sum(label.right for label in found)
    fit = Fit(name, right, len(found) - right, present)
    if min(fit.right, fit.wrong) < FEWEST:
        return fit
    ordered = sorted(found, key=lambda label: label.right)  # so that each fold holds both kinds
    held_out = 0.0
    for fold in range(_FOLDS):
        rest = [label for place, label in enumerate(ordered) if place % _FOLDS != fold]
        held_out += _loss(ordered[fold::_FOLDS], _best(rest))
    return Fit(
        name,
        fit.right,
        fit.wrong,
        present,
        fitted=_best(found),
        loss_present=_loss(found, present) / len(found),
        loss_fitted=held_out / len(found),
    )


def _best(found: Sequence[Label]) -> float:
    """The threshold of the smallest loss, midway between two judgements; the lowest of equals."""
    values = sorted({label.probability for label in found})
    between = [(one + other) / 2 for one, other in pairwise(values)]
    return min([0.0, *between], key=lambda threshold: (_loss(found, threshold), threshold))


def _loss(found: Sequence[Label], threshold: float) -> float:
    let_through = sum(not one.right for one in found if one.probability >= threshold)
    held_back = sum(one.right for one in found if one.probability < threshold)
    return _PRICE_OF_WRONG * let_through + held_back
