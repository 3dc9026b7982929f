"""`/lorebot reindex`: a durable job, its progress in one message, and a button to stop it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from functools import partial

from slack_bolt import App
from slack_sdk import WebClient

from bot.domain.errors import LorebotError, ReindexRunning
from bot.jobs.durable import Jobs, State
from bot.jobs.index_refresh import APPLICATION, QUEUE
from bot.jobs.reindex import Reindexer, Scope
from bot.records.audit import Act
from bot.records.reindexes import Reindex, Reindexes
from bot.slack.admin.authority import Authority
from bot.slack.admin.buttons import on_click
from bot.slack.admin.command import COMMAND, Call, Usage
from bot.slack.connection.calls import SlackCallFailed, slack_call, temporary
from bot.slack.connection.clients import current_team
from bot.slack.rendering.said import Said, actions, button, plain, safe, section
from indexer.errors import IndexerError, SyncCancelled
from indexer.sync.sync import Plan, Progressed, Report

_log = logging.getLogger(__name__)

_JOB = "reindex"
_CANCEL = "reindex_cancel"
_SECONDS_BETWEEN_UPDATES = 2.0
_CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|[^>]*)?>|([CG][A-Z0-9]{5,})")
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
        jobs.register(_JOB, self._job)

    def listen(self, app: App) -> None:
        on_click(app, self._authority, _CANCEL, "reindex cancel", self._cancel)

    def run(self, call: Call) -> Said:
        dry_run = "--dry-run" in call.words
        scope = _scope([word for word in call.words if word != "--dry-run"])
        self._reindexer.check(scope)
        begin = partial(
            self._reindexes.begin, scope.kind, scope.name, dry_run=dry_run, asked_by=call.user
        )
        try:
            begun = begin()
        except ReindexRunning:
            if not self._gave_free():
                raise
            begun = begin()
        self._start(begun.id)
        return plain(
            "I have begun. Watch how far I am in our direct messages; there you can also stop me."
        )

    def _gave_free(self) -> bool:
        """A process that died may have left the only place taken: for ever by a job that is over,
        or by one that it had not begun, which begins now.
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

    def _cancel(self, value: str, user: str) -> Said | None:
        if not self._reindexes.cancel(value, user):
            return plain("That reindex has ended already.")
        return None  # the message itself says so at the next document

    def _job(self, reindex_id: str) -> None:
        reindex = self._reindexes.get(reindex_id)
        with self._jobs.at_end(lambda: self._reindexes.end(reindex_id)):
            channel, ts = self._jobs.step("begin", lambda: self._begin(reindex), temporary)
            ending, outcome = self._jobs.step("read", lambda: self._read(reindex, channel, ts))
        self._jobs.step("audit", lambda: self._note(reindex, outcome))
        self._jobs.step("end", lambda: self._update(channel, ts, plain(ending)), temporary)

    def _begin(self, reindex: Reindex) -> tuple[str, str]:
        """In the direct messages with the admin: an ephemeral message could not be updated."""
        said = _working(reindex, "I am comparing the documents with the index …")
        with slack_call("post a message"):
            posted = self._client.chat_postMessage(channel=reindex.asked_by, **said.body)
        return str(posted["channel"]), str(posted["ts"])

    def _read(self, reindex: Reindex, channel: str, ts: str) -> tuple[str, str]:
        """How it ended, for the admin and for the audit log. Repeated, it goes on."""
        scope = Scope(reindex.kind, reindex.name)
        try:
            plans = self._reindexer.plan(scope)
            if reindex.dry_run:
                return _would(scope, plans), "done"
            progress = _Watching(self, reindex, channel, ts, plans)
            return _did(scope, self._reindexer.apply(scope, plans, progress)), "done"
        except SyncCancelled:
            by = self._reindexes.cancelled_by(reindex.id)
            return (
                f":octagonal_sign: Stopped by <@{by}>. What was read stays; the next reindex goes "
                "on from there."
            ), "cancelled"
        except (LorebotError, IndexerError) as error:
            return f":warning: {safe(str(error), 2_000)}", f"failed: {type(error).__name__}"
        except Exception:  # noqa: BLE001 - a bug must not leave "reading …" standing
            _log.exception("The reindex %s failed.", reindex.id)
            sentence = f":warning: Something went wrong on my side. (Reference {reindex.id[:8]})"
            return sentence, "failed: bug"

    def _note(self, reindex: Reindex, outcome: str) -> None:
        subject = str(Scope(reindex.kind, reindex.name))
        self._authority.audit.note(Act(reindex.asked_by, "reindex ended", subject, outcome))

    def _update(self, channel: str, ts: str, said: Said) -> None:
        with slack_call("update a message"):
            self._client.chat_update(channel=channel, ts=ts, **said.body)

    def show(self, reindex: Reindex, channel: str, ts: str, text: str) -> None:
        """Progress; where Slack does not take it, the reindex goes on."""
        try:
            self._update(channel, ts, _working(reindex, text))
        except SlackCallFailed as error:
            _log.warning("%s", error)

    def stop_if_wanted(self, reindex: Reindex) -> None:
        """Raises SyncCancelled where an admin has pressed the button."""
        if by := self._reindexes.cancelled_by(reindex.id):
            raise SyncCancelled(f"Stopped by {by}.")


class _Watching:
    """Hears of every document: shows how far it is, and looks whether to stop."""

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
        self._command.stop_if_wanted(self._reindex)
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
        case ["channel"], [name] if found := _CHANNEL.fullmatch(name):
            return Scope("channel", found[1] or found[2])
        case ["url"], [name] if found := _ADDRESS.fullmatch(name):
            return Scope("url", (found[1] or found[2]).replace("&amp;", "&"))
    raise Usage(f"Say what to read again: {COMMAND} {ReindexCommand.usage}")


def _working(reindex: Reindex, text: str) -> Said:
    title = f":arrows_counterclockwise: *Reindex {_named(Scope(reindex.kind, reindex.name))}*"
    return Said(
        f"Reindex: {text}",
        (
            section(f"{title}\n{text}"),
            actions(button("Stop", _CANCEL, reindex.id, style="danger")),
        ),
    )


def _named(scope: Scope) -> str:
    return f"channel <#{scope.name}>" if scope.kind == "channel" else safe(str(scope))


def _would(scope: Scope, plans: Sequence[Plan]) -> str:
    rows = [
        f"•  *{safe(plan.source)}*: {len(plan.added)} new, {len(plan.changed)} changed, "
        f"{len(plan.audience_only)} with other readers, {len(plan.deleted)} gone, "
        f"{plan.unchanged} unchanged{_trouble(len(plan.unreadable), plan.failure)}"
        for plan in plans
    ]
    return "\n".join([f":eyes: *Dry run of {_named(scope)}: nothing was written.*", *rows])


def _did(scope: Scope, reports: Sequence[Report]) -> str:
    failed = any(report.failure for report in reports)
    title = ":warning: Read again, but not all of it" if failed else ":white_check_mark: Read again"
    rows = [
        f"•  *{safe(report.source)}*: {report.added} new, {report.changed} changed, "
        f"{report.audience_only} with other readers, {report.deleted} gone, "
        f"{report.unchanged} unchanged{_trouble(len(report.unreadable), report.failure)}"
        for report in reports
    ]
    return "\n".join([f"*{title}: {_named(scope)}.*", *rows])


def _trouble(unreadable: int, failure: str) -> str:
    parts = [f"{unreadable} unreadable"] if unreadable else []
    parts += [safe(failure, 500)] if failure else []
    return f" — {'; '.join(parts)}" if parts else ""
