"""The status line under a thread ("is looking …"), set before anything else is done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from enum import Enum, auto

from slack_sdk import WebClient

from bot.domain.errors import RecordsError
from bot.domain.values import Asked, Occasion
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.connection.clients import ServingExecutor, without_retries
from bot.slack.rendering.phrases import Phrasebook
from bot.telemetry.counters import note_first_sign

_log = logging.getLogger(__name__)

_THREADS = 4
_WAIT_SECONDS = 2.0


class Shown(Enum):
    """Whether Slack shows a line; unknown where a call got no answer."""

    YES = auto()
    NO = auto()
    UNKNOWN = auto()


class StatusLines:
    """Set in threads of their own, so that no receipt waits; a failure costs only the line."""

    def __init__(self, client: WebClient, phrasebook: Phrasebook) -> None:
        self._client = client
        self._quick_client = without_retries(client)
        self._phrasebook = phrasebook
        self._pool = ServingExecutor(_THREADS, "status")
        self._shown: dict[str, Future[Shown]] = {}
        self._lock = threading.Lock()

    def show(self, asked: Asked) -> None:
        """Begin to show it; does nothing where that was begun, or there is no thread."""
        if not asked.thread:
            return
        with self._lock:
            if asked.id not in self._shown:
                self._shown[asked.id] = self._pool.submit(self._begin, asked)

    def is_shown(self, asked: Asked) -> bool:
        """Whether Slack has taken it; waits two seconds at most."""
        with self._lock:
            shown = self._shown.get(asked.id)
        try:
            return shown is not None and shown.result(_WAIT_SECONDS) is Shown.YES
        except NotYet:
            return False

    @contextmanager
    def cleared_by_posting(self, asked: Asked) -> Iterator[None]:
        """Around posting to the thread: Slack itself clears the line that stood before.

        It saves the call that clears, of which Slack allows few per minute.
        """
        with self._lock:
            shown = self._shown.get(asked.id)
        stands = shown is not None and shown.done() and shown.result() is Shown.YES
        yield
        if stands:
            with self._lock:
                self._shown[asked.id] = _not_shown()

    def clear(self, asked: Asked) -> None:
        """Clear what may still be shown; Slack itself would clear it after two minutes.

        Of a question that is resumed, what the process before has shown is not known.
        """
        if not asked.thread or asked.occasion is Occasion.OVERHEARD:
            return
        with self._lock:
            shown = self._shown.pop(asked.id, None)
        if shown is None or (not shown.cancel() and shown.result() is not Shown.NO):
            self._set(self._client, asked, "")

    def _begin(self, asked: Asked) -> Shown:
        try:
            shown = self._set(self._quick_client, asked, self._phrasebook.for_reply(asked).status)
        except RecordsError as error:
            _log.info("No status line: %s", error)
            return Shown.NO
        if shown is Shown.YES:
            note_first_sign(asked, "status")
        return shown

    def _set(self, client: WebClient, asked: Asked, status: str) -> Shown:
        try:
            with slack_call("set a status line"):
                client.assistant_threads_setStatus(
                    channel_id=asked.channel, thread_ts=asked.thread, status=status
                )
        except SlackCallFailed as error:
            _log.info("%s", error)
            return Shown.UNKNOWN if error.uncertain else Shown.NO
        return Shown.YES


def _not_shown() -> Future[Shown]:
    done: Future[Shown] = Future()
    done.set_result(Shown.NO)
    return done
