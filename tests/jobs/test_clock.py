"""Jumps of the wall clock noticed, and what is due at a time of day going on after them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from bot.jobs.schedules import ClockWatch
from tests.services.shifted_clock import ShiftedClock

DAY = 86_400
ROOT = Path(__file__).parents[2]
DUE_EVERY_SECOND = """
import sys, time
from bot.jobs.durable import Jobs

jobs = Jobs(sys.argv[1])
jobs.schedule("due", "* * * * * *", lambda moment: print(f"{moment}\\n", end="", flush=True))
jobs.launch()
time.sleep(300)
"""


def watch(ahead: Iterator[float], jumped: Callable[[], None]) -> ClockWatch:
    """A watch that looks at once, and then stays at the last of ``ahead``."""
    last = 0.0

    def following() -> float:
        nonlocal last
        last = next(ahead, last)
        return last

    return ClockWatch(jumped, 0.001, following)


@pytest.mark.parametrize("jump", [61.0, -61.0, 56 * 365.0 * DAY])
def test_a_jump_is_told_once(jump: float) -> None:
    told: SimpleQueue[None] = SimpleQueue()
    clock = watch(iter([5.0, 5.0, 5.0 + jump]), lambda: told.put(None))
    told.get(timeout=10)
    with pytest.raises(Empty):
        told.get(timeout=0.1)
    clock.close()


def test_a_clock_that_is_set_gently_has_not_jumped() -> None:
    told: SimpleQueue[None] = SimpleQueue()
    clock = watch(iter([30.0 * look for look in range(20)]), lambda: told.put(None))
    with pytest.raises(Empty):
        told.get(timeout=0.2)
    clock.close()


def test_what_failed_after_a_jump_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    failures, told = iter([OSError("the database is away")]), SimpleQueue[None]()

    def jumped() -> None:
        for failure in failures:
            raise failure
        told.put(None)

    clock = watch(iter([0.0, 3600.0]), jumped)
    told.get(timeout=10)
    clock.close()
    assert "could not be reckoned anew" in caplog.text
    assert "on by 1:00:00" in caplog.text


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY], ids=["two days on", "two days back"])
def test_what_is_due_goes_on_in_the_present_after_a_jump(tmp_path: Path, jump: int) -> None:
    """DBOS alone waits two days, or runs what was due in each second of two days."""
    clock = ShiftedClock(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", DUE_EVERY_SECOND, f"sqlite:///{tmp_path / 'jobs.sqlite'}"],
        cwd=ROOT,
        env=os.environ | clock.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            clock.jump(jump)
            there = datetime.now(UTC) + timedelta(seconds=jump)
            moments = (datetime.fromisoformat(line.strip()) for line in process.stdout)
            late = takewhile(lambda one: abs(one - there) > timedelta(minutes=5), moments)
            assert sum(1 for _ in late) < 20_000
            first, second = next(moments), next(moments)
            assert timedelta(0) < second - first < timedelta(seconds=30)
        finally:
            process.kill()
