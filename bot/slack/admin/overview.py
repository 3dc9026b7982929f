"""How the bot is doing: `/lorebot status`, `sources`, `feedback`, `audit`, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.models.registry import Registry
from bot.records.audit import BOT, Act, Audit
from bot.records.statistics import Page, Statistics, Week
from bot.slack.admin.command import Call
from bot.slack.admin.unnamed import WHERE_NAMED, subject_for, without_names
from bot.slack.rendering.blocks import header, section
from bot.slack.rendering.messages import SlackMessage, listing
from bot.slack.rendering.mrkdwn import link, safe_line
from bot.telemetry.health import Health
from indexer.documents import PUBLIC
from indexer.index import Index

_BAR = 12
_PAGES_SHOWN = 5
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
        """A line per source: when it was last read, and how much could not be.

        Counts, never names: what could not be read, nobody knows who may read. In detail it is
        said where the names are.
        """
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
                row += f"\n      :warning: {safe_line(without_names(entry.failure), 400)}"
            if entry and entry.unreadable and in_detail:
                row += f"\n      ◦  {WHERE_NAMED}"
            rows.append(row)
        return rows

    def public_pages(self, pages: Sequence[Page]) -> list[Page]:
        """Those that are public in the index now, whatever they were when they were cited."""
        indexed = {} if self._index.outdated else self._index.store.documents()
        return [
            page
            for page in pages
            if (found := indexed.get(page.document_id)) and PUBLIC in found.audience.principals
        ]

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
        so_far = f"{totals.questions} question{'' if totals.questions == 1 else 's'} so far"
        if not totals.waiting:
            return f"{so_far}, all answered or refused."
        return f"{so_far}, {totals.waiting} without an answer yet."

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
        voted = self._overview.statistics.worst_pages(limit=100)
        pages = self._overview.public_pages(voted)[:_PAGES_SHOWN]
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
        rows = [_row(act, call.user) for act in self._audit.newest(_AUDIT_ROWS)]
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


def _row(act: Act, viewer: str) -> str:
    when = f"{act.at:%-d %b %H:%M} UTC" if act.at else ""
    told = subject_for(act, viewer)
    subject = f" `{safe_line(told, 80)}`" if told else ""
    who = "by itself" if act.actor == BOT else f"<@{act.actor}>"
    return f"•  {when}  {who}  *{safe_line(act.action)}*{subject}  {safe_line(act.outcome)}"
