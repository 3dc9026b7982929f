"""`/lorebot reindex`: a durable job, its progress in one message, and a button to stop it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from functools import partial

from slack_sdk import WebClient

from bot.domain.errors import LorebotError, ReindexRunning
from bot.jobs.durable import Jobs, State
from bot.jobs.index_refresh import APPLICATION, QUEUE
from bot.jobs.reindex import Reindexer, Scope
from bot.records.audit import Act
from bot.records.reindexes import Reindex, Reindexes
from bot.slack.admin.authority import Authority
from bot.slack.admin.command import COMMAND, Call, UsageError, channel_id, on_click
from bot.slack.admin.progress import begin_progress, try_update_progress, update_progress
from bot.slack.admin.unnamed import without_names
from bot.slack.connection.calls import temporary
from bot.slack.connection.clients import current_team
from bot.slack.rendering.blocks import actions, button, section
from bot.slack.rendering.messages import SlackMessage, paragraph
from bot.slack.rendering.mrkdwn import safe_line
from bot.slack.replies.gate import Gate
from indexer.errors import IndexerError, SyncCancelled
from indexer.sync.sync import Plan, Progressed, Report

_log = logging.getLogger(__name__)

_JOB = "reindex"
_CANCEL = "reindex_cancel"
_SECONDS_BETWEEN_UPDATES = 2.0
_ADDRESS = re.compile(r"<(https?://[^|>]+)(?:\|[^>]*)?>|(https?://\S+)")


class ReindexCommand:
    usage = "reindex (all | source NAME | channel #CHANNEL | url ADDRESS) [--dry-run]"

    def __init__(
        self,
        client: WebClient,
        reindexer: Reindexer,
        reindexes: Reindexes,
        jobs: Jobs,
        authority: Authority,
        *,
        by_worker: bool = False,
    ) -> None:
        """With ``by_worker`` what is asked for here is done by ``lorebot worker``."""
        self._by_worker = by_worker
        self._client = client
        self._reindexer = reindexer
        self._reindexes = reindexes
        self._jobs = jobs
        self._authority = authority
        jobs.register(_JOB, self._job, give_up=self._give_up)

    def listen(self, gate: Gate) -> None:
        on_click(gate, self._authority, _CANCEL, "reindex cancel", self._cancel)

    def run(self, call: Call) -> SlackMessage:
        dry_run = "--dry-run" in call.words
        scope = _scope([word for word in call.words if word != "--dry-run"])
        self._reindexer.check(scope)
        begin = partial(
            self._reindexes.begin, scope.kind, scope.name, dry_run=dry_run, asked_by=call.user
        )
        try:
            begun = begin()
        except ReindexRunning:
            if not self._free_stale_run():
                raise
            begun = begin()
        self._start(begun.id)
        return paragraph(
            "I have begun. Watch how far I am in our direct messages; there you can also stop me."
        )

    def _free_stale_run(self) -> bool:
        """Whether another reindex may begin after all: one that a dead process left running is
        ended, where its job is over, or begun now, where its job never was.
        """
        running = self._reindexes.running()
        if running is None:
            return True
        if self._jobs.state(_JOB, running.id) in (State.DONE, State.FAILED):
            self._reindexes.end(running.id)
            return True
        self._start(running.id)
        return False

    def _start(self, reindex_id: str) -> None:
        if self._by_worker:
            self._jobs.enqueue(APPLICATION, QUEUE, _JOB, reindex_id, current_team())
        else:
            self._jobs.start(_JOB, reindex_id)

    def _cancel(self, value: str, user: str) -> SlackMessage | None:
        if not self._reindexes.cancel(value, user):
            return paragraph("That reindex has ended already.")
        return None  # the message itself says so at the next document

    def _job(self, reindex_id: str) -> None:
        reindex = self._reindexes.get(reindex_id)
        with self._jobs.at_end(lambda: self._reindexes.end(reindex_id)):
            channel, ts = self._jobs.step("begin", lambda: self._begin(reindex), temporary)
            ending, outcome = self._jobs.step("read", lambda: self._read(reindex, channel, ts))
        self._jobs.step("audit", lambda: self._note(reindex, outcome))
        self._jobs.step(
            "end",
            lambda: update_progress(self._client, channel, ts, paragraph(ending)),
            temporary,
        )

    def _give_up(self, reindex_id: str) -> None:
        """In place of a reindex that two processes died of: end it, and tell the admin."""
        reindex = self._reindexes.get(reindex_id)
        self._reindexes.end(reindex_id)
        self._jobs.step("audit", lambda: self._note(reindex, "failed: two processes died"))
        named = _named(Scope(reindex.kind, reindex.name))
        sentence = (
            f":octagonal_sign: *I gave up on reindex {named}*: two processes in a row died of it. "
            "What was read stays. See the log for what they died of; `lorebot doctor` counts it."
        )
        self._jobs.step(
            "tell",
            lambda: begin_progress(self._client, reindex.asked_by, paragraph(sentence)),
            temporary,
        )

    def _begin(self, reindex: Reindex) -> tuple[str, str]:
        message = _working(reindex, "I am comparing the documents with the index …")
        return begin_progress(self._client, reindex.asked_by, message)

    def _read(self, reindex: Reindex, channel: str, ts: str) -> tuple[str, str]:
        """How it ended, for the admin and for the audit log. Repeated, it goes on."""
        scope = Scope(reindex.kind, reindex.name)
        try:
            plans = self._reindexer.plan(scope)
            if reindex.dry_run:
                return _would(scope, plans), "done"
            progress = _Progress(self, reindex, channel, ts, plans)
            return _did(scope, self._reindexer.apply(scope, plans, progress)), "done"
        except SyncCancelled:
            by = self._reindexes.cancelled_by(reindex.id)
            return (
                f":octagonal_sign: Stopped by <@{by}>. What was read stays; the next reindex goes "
                "on from there."
            ), "cancelled"
        except (LorebotError, IndexerError) as error:
            told = safe_line(without_names(str(error)), 2_000)
            return f":warning: {told}", f"failed: {type(error).__name__}"
        except Exception:  # noqa: BLE001 - a bug must not leave "reading …" standing
            _log.exception("The reindex %s failed.", reindex.id)
            sentence = f":warning: Something went wrong on my side. (Reference {reindex.id[:8]})"
            return sentence, "failed: bug"

    def _note(self, reindex: Reindex, outcome: str) -> None:
        subject = str(Scope(reindex.kind, reindex.name))
        self._authority.audit.note(Act(reindex.asked_by, "reindex ended", subject, outcome))

    def show(self, reindex: Reindex, channel: str, ts: str, text: str) -> None:
        """Progress; where Slack does not take it, the reindex goes on."""
        try_update_progress(self._client, channel, ts, _working(reindex, text))

    def stop_if_cancelled(self, reindex: Reindex) -> None:
        """Raises SyncCancelled where an admin has pressed the button."""
        if by := self._reindexes.cancelled_by(reindex.id):
            raise SyncCancelled(f"Stopped by {by}.")


class _Progress:
    """Called at every document: shows the progress, and stops where an admin wants it."""

    def __init__(
        self,
        command: ReindexCommand,
        reindex: Reindex,
        channel: str,
        ts: str,
        plans: Sequence[Plan],
    ) -> None:
        self._command = command
        self._reindex = reindex
        self._channel = channel
        self._ts = ts
        self._total = sum(len(plan.added) + len(plan.changed) for plan in plans)
        self._done: dict[str, int] = {}
        self._shown_at = 0.0

    def __call__(self, event: Progressed) -> None:
        self._command.stop_if_cancelled(self._reindex)
        self._done[event.source] = event.done
        if time.monotonic() - self._shown_at < _SECONDS_BETWEEN_UPDATES:
            return
        self._shown_at = time.monotonic()
        text = f"{sum(self._done.values())} of {self._total} documents read ({event.source})"
        self._command.show(self._reindex, self._channel, self._ts, text)


def _scope(words: Sequence[str]) -> Scope:
    match [word.lower() for word in words[:1]], words[1:]:
        case ["all"], []:
            return Scope("all")
        case ["source"], [name]:
            return Scope("source", name)
        case ["channel"], [name] if channel := channel_id(name):
            return Scope("channel", channel)
        case ["url"], [name] if found := _ADDRESS.fullmatch(name):
            return Scope("url", (found[1] or found[2]).replace("&amp;", "&"))
    raise UsageError(f"Say what to read again: {COMMAND} {ReindexCommand.usage}")


def _working(reindex: Reindex, text: str) -> SlackMessage:
    title = f":arrows_counterclockwise: *Reindex {_named(Scope(reindex.kind, reindex.name))}*"
    return SlackMessage(
        f"Reindex: {text}",
        tail=[
            section(f"{title}\n{text}"),
            actions(button("Stop", _CANCEL, reindex.id, style="danger")),
        ],
    )


def _named(scope: Scope) -> str:
    return f"channel <#{scope.name}>" if scope.kind == "channel" else safe_line(str(scope))


def _would(scope: Scope, plans: Sequence[Plan]) -> str:
    rows = [
        f"•  *{safe_line(plan.source)}*: {len(plan.added)} new, {len(plan.changed)} changed, "
        f"{len(plan.audience_only)} with other readers, {len(plan.deleted)} gone, "
        f"{plan.unchanged} unchanged{_trouble(len(plan.unreadable), plan.failure)}"
        for plan in plans
    ]
    return "\n".join([f":eyes: *Dry run of {_named(scope)}: nothing was written.*", *rows])


def _did(scope: Scope, reports: Sequence[Report]) -> str:
    failed = any(report.failure for report in reports)
    title = ":warning: Read again, but not all of it" if failed else ":white_check_mark: Read again"
    rows = [
        f"•  *{safe_line(report.source)}*: {report.added} new, {report.changed} changed, "
        f"{report.audience_only} with other readers, {report.deleted} gone, "
        f"{report.unchanged} unchanged{_trouble(len(report.unreadable), report.failure)}"
        for report in reports
    ]
    return "\n".join([f"*{title}: {_named(scope)}.*", *rows])


def _trouble(unreadable: int, failure: str) -> str:
    parts = [f"{unreadable} unreadable"] if unreadable else []
    parts += [safe_line(without_names(failure), 500)] if failure else []
    return f" — {'; '.join(parts)}" if parts else ""
