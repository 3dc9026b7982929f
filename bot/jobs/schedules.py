"""Cron schedules, each time one job over all replicas; reckoned anew after the clock has jumped.

Clocks jump where a machine starts without a battery, wakes from a suspension, or is set by hand.
DBOS waits for the next time by a clock that does not jump.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from dbos import DBOS, ScheduleInput

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


class Schedules:
    """The schedules of one application, kept by DBOS.

    Times that passed while no process ran are not made up for, nor those that a jump of the clock
    passed over.
    """

    def __init__(self) -> None:
        self._schedules: list[ScheduleInput] = []
        self._clock: ClockWatch | None = None

    def add(self, name: str, cron: str, workflow: Callable[[datetime, Any], None]) -> None:
        self._schedules.append({"schedule_name": name, "workflow_fn": workflow, "schedule": cron})

    def begin(self) -> None:
        """Start; after DBOS has been launched. What other processes wait for stays as it is."""
        DBOS.apply_schedules(self._schedules)
        if self._schedules:
            self._clock = ClockWatch(self._reckon)

    def close(self) -> None:
        if self._clock:
            self._clock.close()

    def _reckon(self) -> None:
        """Let DBOS compute the next times from now, as it does where a schedule's context changes.

        Otherwise it would sleep until a clock that was set back has come as far again, and run once
        for each time that a clock set forward has passed over.
        """
        now = datetime.now(UTC).isoformat()
        DBOS.apply_schedules([schedule | {"context": now} for schedule in self._schedules])
