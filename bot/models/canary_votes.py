"""Judges a canary by its votes: one that falls behind is called off, and a better one promoted.

Each answer that people voted on counts once, by the majority of its thumbs. What is compared is
what was answered since the canary began, by the canary and by the version that serves beside it:
the versions kept with each answer tell which. Of both shares of thumbs up the posterior is a Beta
distribution (uniform prior), so that the probability that the canary's is lower is a finite sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import takewhile
from math import exp, lgamma, log

from sqlalchemy import select

from bot.domain.settings import CanaryTable
from bot.domain.values import Thumb
from bot.models.registry import Registry
from bot.models.versions import Canary, Change, ModelVersion
from bot.records.audit import BOT
from bot.records.database import Database
from bot.records.tables import AnswerRow, VoteRow


class Decision(StrEnum):
    NO_CANARY = "no canary"
    WAITED = "waited"
    ROLLED_BACK = "rolled back"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Answers by the majority of their votes; a tie counts for neither."""

    up: int = 0
    down: int = 0

    @property
    def count(self) -> int:
        return self.up + self.down

    def __str__(self) -> str:
        return f"{self.up} of {self.count} up"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found and done. ``worse`` is the probability, in 0..1, that the canary is."""

    decision: Decision
    canary: str = ""
    serving: str = ""
    canary_thumbs: Thumbs = Thumbs()
    serving_thumbs: Thumbs = Thumbs()
    worse: float = 0.5

    @property
    def sentence(self) -> str:
        if self.decision is Decision.NO_CANARY:
            return "There is no canary to watch."
        done = {
            Decision.WAITED: "It goes on.",
            Decision.ROLLED_BACK: f"It is called off: {self.serving or 'no model'} answers "
            "everybody again.",
            Decision.PROMOTED: "It answers everybody from now on.",
        }[self.decision]
        return (
            f"The canary {self.canary} has {self.canary_thumbs}, {self.serving or 'quoting'} "
            f"{self.serving_thumbs} in the same time; it is worse with a probability of "
            f"{self.worse:.0%}. {done}"
        )


def watch_canary(database: Database, registry: Registry, table: CanaryTable) -> Watched:
    """Judge the canary that answers now, and act; call it from a schedule, or by hand.

    The registry's history names ``lorebot`` as the actor. Raises RegistryError where another
    process ended the canary at the same moment, or the canary's file is damaged.
    """
    now = registry.serving()
    if now.canary is None:
        return Watched(Decision.NO_CANARY)
    began = _began(registry.history(), now.canary)
    ours = _thumbs(database, now.canary.version, began)
    theirs = _thumbs(database, now.version, began)
    worse = probability_lower(ours, theirs)
    decision = decide(table, ours, worse)
    if decision is Decision.ROLLED_BACK:
        registry.end_canary(BOT)
    elif decision is Decision.PROMOTED:
        registry.activate(now.canary.version.name, BOT)
    serving = now.version.name if now.version else ""
    return Watched(decision, now.canary.version.name, serving, ours, theirs, worse)


def decide(table: CanaryTable, canary: Thumbs, worse: float) -> Decision:
    """Rolling back is considered before promoting: it costs little where it is wrong."""
    if canary.count < table.min_answers:
        return Decision.WAITED
    if worse >= table.worse:
        return Decision.ROLLED_BACK
    is_seen_enough = 0 < table.promote_after <= canary.count
    return Decision.PROMOTED if is_seen_enough and 1 - worse >= table.better else Decision.WAITED


def probability_lower(one: Thumbs, other: Thumbs) -> float:
    """P(share of thumbs up of ``one`` < that of ``other``), uniform priors; exact.

    The sum over Beta functions is that of Miller 2015, "Formulas for Bayesian A/B testing".
    """
    a, b = one.up + 1, one.down + 1
    c, d = other.up + 1, other.down + 1
    total = sum(
        exp(_log_beta(a + i, b + d) - log(d + i) - _log_beta(1 + i, d) - _log_beta(a, b))
        for i in range(c)
    )
    return min(1.0, total)


def _log_beta(a: int, b: int) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _began(history: Iterable[Change], canary: Canary) -> datetime:
    """When the canary began; another share since then does not begin it anew."""
    same = takewhile(lambda change: change.canary == canary.version.name, history)
    return min(change.at for change in same)


def _thumbs(database: Database, version: ModelVersion | None, since: datetime) -> Thumbs:
    """Of the answers a version has given; without one, of the answers that no model gave."""
    balance: dict[str, int] = {}
    with database.reading() as session:
        votes = session.execute(
            select(VoteRow.answer_id, VoteRow.thumb, AnswerRow.model, AnswerRow.adapter)
            .join(AnswerRow, AnswerRow.id == VoteRow.answer_id)
            .where(AnswerRow.answered_at >= since)
        )
        for answer_id, thumb, model, adapter in votes:
            if version.has_answered(model, adapter) if version else model == "":
                balance[answer_id] = balance.get(answer_id, 0) + (1 if thumb == Thumb.UP else -1)
    return Thumbs(
        up=sum(value > 0 for value in balance.values()),
        down=sum(value < 0 for value in balance.values()),
    )
