"""The wall clock watched for jumps: what waits for a time of day has to reckon anew after one.

Clocks jump where a machine starts without a battery, wakes from a suspension, or is set by hand.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

_SECONDS = 5.0
_JUMP_SECONDS = 60.0
_log = logging.getLogger(__name__)


def _ahead() -> float:
    """Seconds that the wall clock is ahead of the one that never jumps."""
    return time.time() - time.monotonic()


class ClockWatch:
    """Calls ``jumped()`` after every jump of a minute or more, from a thread of its own."""

    def __init__(
        self,
        jumped: Callable[[], None],
        seconds: float = _SECONDS,
        ahead: Callable[[], float] = _ahead,
    ) -> None:
        """Looks every ``seconds``, from now on. Where ``jumped`` fails, it is called again."""
        self._jumped = jumped
        self._seconds = seconds
        self._ahead = ahead
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(self._seconds)

    def _run(self) -> None:
        before = self._ahead()
        while not self._stopped.wait(self._seconds):
            now = self._ahead()
            if abs(now - before) >= _JUMP_SECONDS and not self._told(now - before):
                continue
            before = now

    def _told(self, seconds: float) -> bool:
        way = "on" if seconds > 0 else "back"
        _log.warning("The clock jumped %s by %s.", way, timedelta(seconds=round(abs(seconds))))
        try:
            self._jumped()
        except Exception:  # noqa: BLE001 - the database may be away; it is tried again
            _log.warning("What is due at a time of day could not be reckoned anew.", exc_info=True)
            return False
        return True
