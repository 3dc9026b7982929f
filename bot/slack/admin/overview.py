"""How the bot is doing, in lines for admins: health, freshness, what serves, votes as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.models.registry import Registry
from bot.records.statistics import Statistics, Week
from bot.slack.rendering.mrkdwn import safe_line
from bot.telemetry.health import Health
from indexer.index import Index

_BAR = 12
_UNREADABLE_SHOWN = 3


class Overview:
    def __init__(
        self,
        index: Index,
        health: Health,
        statistics: Statistics,
        registry: Registry,
        pinned: str = "",
    ) -> None:
        """``pinned`` is the model that the settings name in place of the registry's, if any."""
        self._index = index
        self._health = health
        self.statistics = statistics
        self._registry = registry
        self._pinned = pinned

    def health(self) -> list[str]:
        return [
            f":red_circle: *{part}*: {safe_line(problem, 400)}"
            if problem
            else f":large_green_circle: {part}"
            for part, problem in self._health.problems().items()
        ]

    def freshness(self, *, in_detail: bool = False) -> list[str]:
        """A line a source: when it was last read, and what could not be."""
        journal = self._index.journal.read()
        counts: dict[str, int] = {}
        indexed = {} if self._index.outdated else self._index.store.documents()
        for document in indexed.values():
            counts[document.source] = counts.get(document.source, 0) + 1
        rows = []
        for source in sorted({*journal, *counts}):
            entry = journal.get(source)
            row = f"•  *{safe_line(source)}*: {counts.get(source, 0)} documents, "
            row += f"read {ago(entry.finished)}" if entry else "never read to its end"
            if entry and entry.unreadable:
                row += f", {len(entry.unreadable)} unreadable"
            if entry and entry.failure:
                row += f"\n      :warning: {safe_line(entry.failure, 400)}"
            if entry and in_detail:
                reasons = list(entry.unreadable.values())[:_UNREADABLE_SHOWN]
                row += "".join(f"\n      ◦  {safe_line(reason, 200)}" for reason in reasons)
            rows.append(row)
        return rows

    def serving(self) -> str:
        """One line: which model answers."""
        if self._pinned:
            return f"Answers are written by *{safe_line(self._pinned)}*, which the settings name."
        serving = self._registry.serving()
        if serving.version is None:
            return "No model serves: answers are quoted from the documents."
        line = f"Answers are written by *{safe_line(serving.version.name)}*"
        if serving.canary:
            share = f"{serving.canary.share:.0%} of the questions"
            channels = " ".join(f"<#{channel}>" for channel in serving.canary.channels)
            reach = " and ".join(filter(None, (share if serving.canary.share else "", channels)))
            line += f"; *{safe_line(serving.canary.version.name)}* is tried on {reach}"
        return f"{line}."

    def queue(self) -> str:
        totals = self.statistics.totals()
        return f"{totals.questions} questions so far, {totals.waiting} without an answer yet."

    def votes(self) -> str:
        """Eight weeks as bars, in a code block."""
        return chart(self.statistics.weeks())


def chart(weeks: Sequence[Week]) -> str:
    """A bar a week: █ for 👍, ░ for 👎. Text needs no upload, no scope, no drawing library, and
    is read out by screen readers; Block Kit shows it as it is.
    """
    most = max((week.up + week.down for week in weeks), default=0)
    if not most:
        return "No votes in the last eight weeks."
    rows = []
    for week in weeks:
        up, down = (round(count * _BAR / most) for count in (week.up, week.down))
        bar = "█" * up + "░" * down
        rows.append(f"{week.starts:%d %b}  {bar:<{_BAR + 1}} {week.up:>3} up {week.down:>3} down")
    return "```\n" + "\n".join(rows) + "\n```"


def ago(moment: datetime) -> str:
    past = datetime.now(UTC) - moment
    if past < timedelta(minutes=2):
        return "just now"
    if past < timedelta(hours=2):
        return f"{past // timedelta(minutes=1)} minutes ago"
    if past < timedelta(days=2):
        return f"{past // timedelta(hours=1)} hours ago"
    return f"{past.days} days ago"
