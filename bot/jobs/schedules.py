"""What is done again and again, at times of day: each time is one job over all replicas."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dbos import DBOS, ScheduleInput

from bot.jobs.clock import ClockWatch


class Schedules:
    """Those of one application, kept by DBOS. They begin with the present, also after a jump of
    the clock.
    """

    def __init__(self) -> None:
        self._schedules: list[ScheduleInput] = []
        self._clock: ClockWatch | None = None

    def add(self, name: str, cron: str, workflow: Callable[[datetime, Any], None]) -> None:
        self._schedules.append({"schedule_name": name, "workflow_fn": workflow, "schedule": cron})

    def begin(self) -> None:
        """After DBOS has been launched. What other processes wait for stays as it is."""
        DBOS.apply_schedules(self._schedules)
        if self._schedules:
            self._clock = ClockWatch(self._reckon)

    def close(self) -> None:
        if self._clock:
            self._clock.close()

    def _reckon(self) -> None:
        """DBOS waits for the next time by a clock that does not jump: it would sleep until a clock
        that was set back has come as far again, and run for each time that one set on has passed
        over. It begins anew where a schedule's context changes.
        """
        now = datetime.now(UTC).isoformat()
        DBOS.apply_schedules([schedule | {"context": now} for schedule in self._schedules])
