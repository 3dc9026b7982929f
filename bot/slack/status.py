"""The first sign of work: the status line of a thread, set before anything else is done."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from slack_sdk import WebClient

from bot.domain import Asked
from bot.errors import RecordsError
from bot.slack.calls import SlackCallFailed, slack_call, without_retries
from bot.slack.clients import ServingExecutor
from bot.slack.spoken import Spoken

_log = logging.getLogger(__name__)

_THREADS = 4
_PATIENCE_SECONDS = 2.0


class StatusLines:
    """Set beside the receipt of an event, so that neither waits; a failure costs only the line."""

    def __init__(self, client: WebClient, spoken: Spoken) -> None:
        self._client = without_retries(client)
        self._spoken = spoken
        self._pool = ServingExecutor(_THREADS, "status")
        self._shown: dict[str, Future[bool]] = {}
        self._lock = threading.Lock()

    def show(self, asked: Asked) -> None:
        """Begin to show it; does nothing where that was begun, or there is no thread to show it."""
        if not asked.thread:
            return
        with self._lock:
            if asked.id not in self._shown:
                self._shown[asked.id] = self._pool.submit(self._begin, asked)

    def is_shown(self, asked: Asked) -> bool:
        """Whether Slack has taken it; waits for that a moment."""
        with self._lock:
            shown = self._shown.get(asked.id)
        try:
            return shown is not None and shown.result(_PATIENCE_SECONDS)
        except NotYet:
            return False

    def clear(self, asked: Asked) -> None:
        """Take it away, also where Slack has done so already: it would stand for two minutes."""
        with self._lock:
            shown = self._shown.pop(asked.id, None)
        if shown is not None and not shown.cancel() and shown.result():
            self._set(asked, "")

    def _begin(self, asked: Asked) -> bool:
        try:
            return self._set(asked, self._spoken.to(asked).status)
        except RecordsError as error:
            _log.info("No status line: %s", error)
            return False

    def _set(self, asked: Asked, status: str) -> bool:
        try:
            with slack_call("set a status line"):
                self._client.assistant_threads_setStatus(
                    channel_id=asked.channel, thread_ts=asked.thread, status=status
                )
        except SlackCallFailed as error:
            _log.info("%s", error)
            return False
        return True
