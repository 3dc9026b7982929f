"""How the bot is doing: `/lorebot status`, `sources`, `feedback`, `audit`, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.models.registry import Registry
from bot.records.audit import BOT, Act, Audit
from bot.records.statistics import Statistics, Week
from bot.slack.admin.command import Call
from bot.slack.rendering.blocks import header, section
from bot.slack.rendering.messages import SlackMessage, listing
from bot.slack.rendering.mrkdwn import link, safe_line
from bot.telemetry.health import Health
from indexer.index import Index

_BAR = 12
_UNREADABLE_SHOWN = 3
_AUDIT_ROWS = 20


class Overview:
    """Lines of mrkdwn for admins, also shown in App Home."""

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
        """A line per source: when it was last read, and what could not be."""
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


class StatusCommand:
    usage = "status"

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def run(self, call: Call) -> SlackMessage:
        parts = (
            "\n".join(self._overview.health()),
            "\n".join(self._overview.freshness()) or "Nothing is indexed yet.",
            self._overview.serving(),
            self._overview.queue(),
        )
        return SlackMessage("\n\n".join(parts), tail=[header("Status"), *map(section, parts)])


class SourcesCommand:
    usage = "sources"

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def run(self, call: Call) -> SlackMessage:
        rows = self._overview.freshness(in_detail=True)
        return listing("Sources", rows, "Nothing is indexed yet.")


class FeedbackCommand:
    usage = "feedback"

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def run(self, call: Call) -> SlackMessage:
        pages = self._overview.statistics.worst_pages()
        worst = "\n".join(
            f"•  {page.down} :thumbsdown:  {page.up} :thumbsup:  {link(page.url, page.title)}"
            for page in pages
        )
        worst = (
            f"*Pages behind answers that were voted down*\n{worst}"
            if worst
            else ("No public page stands behind an answer that was voted down.")
        )
        votes = self._overview.votes()
        blocks = [header("Feedback"), section(votes), section(worst)]
        return SlackMessage(f"{votes}\n{worst}", tail=blocks)


class AuditCommand:
    usage = "audit"

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def run(self, call: Call) -> SlackMessage:
        rows = [_row(act) for act in self._audit.newest(_AUDIT_ROWS)]
        return listing("The newest acts of admins", rows, "Nobody has done anything yet.")


def chart(weeks: Sequence[Week]) -> str:
    """A bar per week: █ for 👍, ░ for 👎. Text needs no upload, no scope, no drawing library, and
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


def _row(act: Act) -> str:
    when = f"{act.at:%-d %b %H:%M} UTC" if act.at else ""
    subject = f" `{safe_line(act.subject, 80)}`" if act.subject else ""
    who = "by itself" if act.actor == BOT else f"<@{act.actor}>"
    return f"•  {when}  {who}  *{safe_line(act.action)}*{subject}  {safe_line(act.outcome)}"
