"""A wall clock that jumps, days on and back, under the running bot: answers go on, each once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, MEALS, posted
from tests.scenarios.conftest import BOB, BOT, HELP, answer_to, replies
from tests.scenarios.test_crash import running
from tests.services.shifted_clock import ShiftedClock

DAY = 86_400


@pytest.fixture
def clock(tmp_path: Path) -> ShiftedClock:
    return ShiftedClock(tmp_path)


def asked_at(data: Path) -> list[datetime]:
    with closing(sqlite3.connect(data / "records.sqlite")) as records:
        rows = records.execute("SELECT asked_at FROM questions ORDER BY rowid").fetchall()
    return [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in rows]


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY], ids=["two days on", "two days back"])
def test_questions_are_answered_in_turn_over_a_jump(
    workspace: Workspace,
    environment: dict[str, str],
    clock: ShiftedClock,
    tmp_path: Path,
    jump: int,
) -> None:
    """One in flight at the jump, one behind it in its thread, one of a thread of its own."""
    with running(environment | clock.environment, workspace):
        workspace.faults.add("users.info", status=429, headers={"Retry-After": "2"})
        ts = posted(workspace, MEALS)
        workspace.wait_for(
            lambda: any(call.method == "users.info" for call in workspace.calls), timeout=60
        )
        clock.jump(jump)
        workspace.post(BOB, HELP, f"{BOT} {LEAVE}", thread_ts=ts)
        workspace.wait_for(
            lambda: sum(bool(one["text"]) for one in replies(workspace, HELP, ts)) == 2,
            timeout=120,
        )
        assert "30 days" in answer_to(workspace, HELP, posted(workspace, LEAVE), 120)["text"]
        assert len(replies(workspace, HELP, ts)) == 2
    first, second, _ = asked_at(tmp_path / "data")
    jumped = timedelta(seconds=abs(jump))
    assert abs(second - first) > jumped - timedelta(hours=1), "the clock did not jump"


def test_bot_goes_on_where_its_clock_is_wrong_from_the_start(
    workspace: Workspace, environment: dict[str, str], clock: ShiftedClock, tmp_path: Path
) -> None:
    """As on a machine without a battery: in 1970 at one start, right at the next."""
    clock.jump(-int(datetime.now(UTC).timestamp()) + DAY)
    with running(environment | clock.environment, workspace):
        first = posted(workspace)
        assert "45 EUR" in answer_to(workspace, HELP, first, timeout=120)["text"]
    assert asked_at(tmp_path / "data")[0].year == 1970
    clock.jump(0)
    with running(environment | clock.environment, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        assert len(replies(workspace, HELP, first)) == 1
