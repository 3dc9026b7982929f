"""SQLite files that somebody else has locked, or that are damaged."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, failing, lorebot, posted, process, refused_twice
from tests.scenarios.conftest import HELP, answer_to, replies
from tests.scenarios.test_crash import running

LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(600)
"""
FILES = {
    "records.sqlite": "lorebot restore",
    "jobs.sqlite": "move it away",
    "index.sqlite": "move it away",
}


@pytest.mark.parametrize("file", ["records.sqlite", "jobs.sqlite"])
def test_question_asked_while_another_process_holds_the_file_is_answered_afterwards(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path, file: str
) -> None:
    with running(environment, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=60)
        with process(environment, LOCK, str(tmp_path / "data" / file)) as said:
            assert said == "locked\n"
            ts = posted(workspace)
            if file == "records.sqlite":  # longer than SQLite waits by itself
                workspace.wait_for(lambda: refused_twice(workspace, ts), timeout=120)
            else:
                workspace.wait_for(lambda: workspace.acknowledged(workspace.event_ids(ts)[0]))
            assert "45 EUR" not in str(replies(workspace, HELP, ts))
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def damaged(whole: bytes) -> list[bytes]:
    half = len(whole) // 2
    return [b"no database at all" * 2000, bytes(4096) + whole[4096:], whole[:half] + b"\xff" * half]


def test_damaged_file_is_named_with_what_to_do_and_not_touched(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    with running(environment, workspace) as bot:
        answer_to(workspace, HELP, posted(workspace), timeout=120)
        bot.send_signal(signal.SIGTERM)
        bot.wait(timeout=60)
    for file, mend in FILES.items():
        path = tmp_path / "data" / file
        whole = path.read_bytes()
        for broken in damaged(whole):
            path.write_bytes(broken)
            said = failing(environment, "run")
            assert file in said
            assert mend in said.lower()
            assert path.read_bytes() == broken
        path.write_bytes(whole)


def test_questions_go_on_without_the_jobs_that_were_damaged(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    """What the sentence about a damaged jobs.sqlite promises."""
    with running(environment, workspace) as bot:
        workspace.faults.add("users.info", status=429, headers={"Retry-After": "30"})
        ts = posted(workspace)
        workspace.wait_for(
            lambda: any(call.method == "users.info" for call in workspace.calls), timeout=60
        )
        bot.send_signal(signal.SIGKILL)
        workspace.wait_for(lambda: not workspace.bot_connected)
    workspace.faults.clear()
    for file in (tmp_path / "data").glob("jobs.sqlite*"):
        file.unlink()
    with running(environment, workspace):
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def test_restored_backup_mends_damaged_records_and_jobs(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    with running(environment, workspace):
        first = posted(workspace)
        answer_to(workspace, HELP, first, timeout=60)
        lorebot(environment, "backup", str(tmp_path / "kept.zip"))
    for file in ("records.sqlite", "jobs.sqlite"):
        (tmp_path / "data" / file).write_bytes(b"no database at all" * 2000)
    lorebot(environment, "restore", str(tmp_path / "kept.zip"), "--force")
    with running(environment, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=60)
        assert len(replies(workspace, HELP, first)) == 1
