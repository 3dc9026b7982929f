"""`/lorebot status`, `sources`, `feedback` and `audit`: looking, without changing anything."""

from __future__ import annotations

from bot.records.audit import BOT, Act, Audit
from bot.slack.admin.command import Call
from bot.slack.admin.overview import Overview
from bot.slack.rendering.blocks import header, section
from bot.slack.rendering.messages import SlackMessage, listing
from bot.slack.rendering.mrkdwn import link, safe_line

_ACTS = 20


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
        rows = [_row(act) for act in self._audit.newest(_ACTS)]
        return listing("The newest acts of admins", rows, "Nobody has done anything yet.")


def _row(act: Act) -> str:
    when = f"{act.at:%-d %b %H:%M} UTC" if act.at else ""
    subject = f" `{safe_line(act.subject, 80)}`" if act.subject else ""
    who = "by itself" if act.actor == BOT else f"<@{act.actor}>"
    return f"•  {when}  {who}  *{safe_line(act.action)}*{subject}  {safe_line(act.outcome)}"
