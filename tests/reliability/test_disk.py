"""A disk that is full, or read-only, and then is not any more: nothing asked is lost."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from bot.operations.in_use import alone
from bot.records.inspection import check_sqlite
from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, failing, fill, posted, refused_twice
from tests.scenarios.conftest import HELP, answer_to, replies
from tests.scenarios.test_crash import running


@pytest.fixture
def on_small_disk(environment: dict[str, str], small_disk: Path) -> dict[str, str]:
    return environment | {"LOREBOT_DATA_DIR": str(small_disk)}


def assert_whole(data: Path) -> None:
    for file in ("records.sqlite", "jobs.sqlite"):
        check_sqlite(data / file)


def test_question_asked_while_the_disk_is_full_is_answered_when_it_is_not(
    workspace: Workspace, on_small_disk: dict[str, str], small_disk: Path
) -> None:
    with running(on_small_disk, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=60)
        ballast = fill(small_disk)
        ts = posted(workspace)
        workspace.wait_for(lambda: refused_twice(workspace, ts), timeout=60)
        assert not replies(workspace, HELP, ts)
        ballast.unlink()
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1
    with alone(small_disk):
        assert_whole(small_disk)


def test_question_in_flight_when_the_disk_fills_is_answered_after_a_restart(
    workspace: Workspace, on_small_disk: dict[str, str], small_disk: Path
) -> None:
    """It may be answered without one; never is it lost, and never answered twice."""
    with running(on_small_disk, workspace):
        workspace.faults.add("users.info", status=429, headers={"Retry-After": "3"})
        ts = posted(workspace)
        workspace.wait_for(lambda: any(call.method == "users.info" for call in workspace.calls))
        ballast = fill(small_disk)
        workspace.wait_for(lambda: workspace.calls[-1].method != "users.info", timeout=60)
    ballast.unlink()
    with running(on_small_disk, workspace):
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1
    assert_whole(small_disk)


def test_bot_on_a_full_disk_says_so_and_does_not_start(
    workspace: Workspace, on_small_disk: dict[str, str], small_disk: Path
) -> None:
    fill(small_disk)
    assert "free space" in failing(on_small_disk, "run")


def test_read_only_disk_is_said_at_the_start(
    workspace: Workspace, on_small_disk: dict[str, str], small_disk: Path
) -> None:
    with running(on_small_disk, workspace):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    said = failing(on_small_disk, "run")
    assert str(small_disk) in said
    assert "writ" in said


def test_question_asked_while_the_disk_takes_no_writes_is_answered_when_it_does(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    """Every write of the running bot fails, as on a disk that the kernel has made read-only."""
    with running(environment, workspace) as bot:
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=60)
        _, hard = resource.prlimit(bot.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(bot.pid, resource.RLIMIT_FSIZE, (0, hard))
        ts = posted(workspace)
        workspace.wait_for(lambda: refused_twice(workspace, ts), timeout=60)
        assert not replies(workspace, HELP, ts)
        resource.prlimit(bot.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1
    assert_whole(tmp_path / "data")
