"""`/lorebot train`: a training run by a worker elsewhere, its progress in one message."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from slack_sdk import WebClient

from bot.jobs.durable import Jobs, State
from bot.jobs.training import (
    finished,
    pipeline_of,
    start_training,
    training_progress,
    training_state,
)
from bot.records.audit import Act
from bot.slack.admin.authority import Authority
from bot.slack.admin.command import COMMAND, Call, UsageError
from bot.slack.admin.progress import begin_progress, try_update_progress, update_progress
from bot.slack.connection.calls import temporary
from bot.slack.rendering.messages import SlackMessage, paragraph
from bot.slack.rendering.mrkdwn import safe_line

_JOB = "watch training"
_LINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SECONDS_BETWEEN_LOOKS = 2.0
_PATIENCE_SECONDS = 20.0
_LONGEST_WAIT_SECONDS = 3600.0
_WAITING = "waiting for a worker"
_NO_WORKER = (
    "no worker has taken it yet. Start `lorebot-adapters worker` on the machine that trains; the "
    "training begins by itself then"
)


class TrainCommand:
    usage = "train [LINE]"

    def __init__(self, client: WebClient, jobs: Jobs, authority: Authority) -> None:
        self._client = client
        self._jobs = jobs
        self._authority = authority
        jobs.register(_JOB, self._job)

    def run(self, call: Call) -> SlackMessage:
        line = " ".join(call.words) or "default"
        if not _LINE.fullmatch(line):
            raise UsageError(
                f"Name one line, of letters, digits, - and _, or none: {COMMAND} {self.usage}"
            )
        key = start_training(self._jobs, line)
        watched = f"{call.user} {key} "
        if not self._jobs.unfinished(_JOB, watched):
            self._jobs.start(_JOB, f"{watched}{datetime.now(UTC).isoformat()}")
        return paragraph(f"I have asked for it. Watch how far *{line}* is in our direct messages.")

    def _job(self, watched: str) -> None:
        """At most one for each admin and training; after a crash it goes on in its message."""
        user, key, _ = watched.split(" ")
        channel, ts = self._jobs.step(
            "begin",
            lambda: begin_progress(self._client, user, _message(key, _WAITING)),
            temporary,
        )
        ending, outcome = self._jobs.step("watch", lambda: self._watch(key, channel, ts))
        act = Act(user, "train ended", pipeline_of(key), outcome)
        self._jobs.step("audit", lambda: self._authority.audit.note(act))
        self._jobs.step(
            "end",
            lambda: update_progress(self._client, channel, ts, _message(key, ending)),
            temporary,
        )

    def _watch(self, key: str, channel: str, ts: str) -> tuple[str, str]:
        """How it ended, for the admin and for the audit log."""
        shown, began = _WAITING, time.monotonic()
        while (state := training_state(self._jobs, key)) in (State.WAITING, State.RUNNING):
            waited = time.monotonic() - began
            if state is State.WAITING and waited > _LONGEST_WAIT_SECONDS:
                return f":zzz: {_NO_WORKER}. Type `{COMMAND} train` to watch it again", "waiting"
            text = self._progress(key, state, waited)
            if text != shown:
                shown = text
                try_update_progress(self._client, channel, ts, _message(key, text))
            self._jobs.pause(_SECONDS_BETWEEN_LOOKS)
        return _ending(key, state, training_progress(self._jobs, key))

    def _progress(self, key: str, state: State, waited: float) -> str:
        if state is State.WAITING:
            return _WAITING if waited < _PATIENCE_SECONDS else _NO_WORKER
        return safe_line(training_progress(self._jobs, key)) or "a worker has taken it"


def _ending(key: str, state: State, told: str) -> tuple[str, str]:
    if state is State.DONE and told == finished(pipeline_of(key)):
        ending = f":white_check_mark: {safe_line(told)}. `{COMMAND} models` shows what answers"
        return ending, "done"
    if state is State.DONE:
        return f":octagonal_sign: {safe_line(told, 2_000)}", "stopped"
    return ":warning: it ended by a fault of my own; the worker's log says which", "failed: bug"


def _message(key: str, text: str) -> SlackMessage:
    return paragraph(f":mortar_board: *Training {pipeline_of(key)}*\n{text}")
