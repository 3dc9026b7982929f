"""The answers this process is working on, and the stop button that cancels them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bot.domain.values import Asked
from bot.serving.model import Cancellation
from bot.slack.replies.gate import Gate


class RunningAnswers:
    """Safe from several threads."""

    def __init__(self, new_cancellation: Callable[[], Cancellation]) -> None:
        self._new_cancellation = new_cancellation
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[Asked, Cancellation]] = {}

    def listen(self, gate: Gate) -> None:
        gate.own_event("agent_session_stopped", self.on_stop)

    def on_stop(self, event: dict[str, Any]) -> None:
        self.stop(event["channel"], event["thread_ts"], event["user"])

    @contextmanager
    def answering(self, asked: Asked) -> Iterator[Cancellation]:
        """Within the block the question can be stopped."""
        cancellation = self._new_cancellation()
        with self._lock:
            self._asked[asked.id] = asked, cancellation
        try:
            yield cancellation
        finally:
            with self._lock:
                del self._asked[asked.id]

    def stop(self, channel: str, thread: str, person: str) -> None:
        """Stop what that person has asked in that thread.

        The answer to another asker goes on, unless Slack ends its stream: then the next call to
        the stream says so.
        """
        with self._lock:
            meant = [
                cancellation
                for asked, cancellation in self._asked.values()
                if (asked.channel, asked.thread, asked.asker) == (channel, thread, person)
            ]
        for cancellation in meant:
            cancellation.cancel()
