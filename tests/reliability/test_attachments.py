"""Files that are too much for a process, attached to questions of the running bot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, MEALS, posted
from tests.scenarios.conftest import ALICE, BOB, BOT, HELP, answer_to, finished, replies, shown
from tests.scenarios.test_crash import running

MILLION_ROWS = "rows.csv", b"number\n" + b"12345\n" * 1_000_000
CODE = "What is the gate code of the Larkspur garage?"
NOTE = b"# Larkspur\n\nThe gate code of the Larkspur garage is 4711.\n"
MOST_MEGABYTES = 1500
FIFTY = int(os.environ.get("LOREBOT_TEST_ATTACHMENTS", "50"))
GAVE_UP = "I gave up on this question"


def family(pid: int) -> float:
    """Megabytes of memory of a process and those it has started."""
    total = 0.0
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(family(int(child)) for child in (task / "children").read_text().split())
    return total


@contextmanager
def measured(pid: int) -> Iterator[list[float]]:
    """Megabytes, several times a second, until the block ends."""
    seen, ended = [family(pid)], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            seen.append(family(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def test_a_million_rows_cost_one_process_beside_and_their_beginning_is_read(
    workspace: Workspace, environment: dict[str, str]
) -> None:
    with running(environment, workspace) as bot:
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        with measured(bot.pid) as megabytes:
            began = time.monotonic()
            files = [MILLION_ROWS, ("note.md", NOTE)]
            ts = workspace.post(ALICE, HELP, f"{BOT} {CODE}", files=files)
            other = workspace.post(BOB, HELP, f"{BOT} {MEALS}")
            assert "45 EUR" in answer_to(workspace, HELP, other, timeout=60)["text"]
            answer = answer_to(workspace, HELP, ts, timeout=120)
        print(f"{max(megabytes):.0f} MB, {time.monotonic() - began:.1f} s")
        assert "4711" in answer["text"]
        assert "I read only the beginning of rows.csv" in shown(answer)
        assert max(megabytes) < MOST_MEGABYTES


@pytest.mark.timeout(900)
def test_fifty_at_once_keep_nobody_else_waiting(
    workspace: Workspace, environment: dict[str, str]
) -> None:
    with running(environment, workspace) as bot:
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        with measured(bot.pid) as megabytes:
            began = time.monotonic()
            asked = [
                workspace.post(ALICE, HELP, f"{BOT} {CODE}", files=[MILLION_ROWS])
                for _ in range(FIFTY)
            ]
            other = workspace.post(BOB, HELP, f"{BOT} {MEALS}")
            assert "45 EUR" in answer_to(workspace, HELP, other, timeout=90)["text"]
            waited = time.monotonic() - began
            for ts in asked:
                answer_to(workspace, HELP, ts, timeout=600)
        print(f"{max(megabytes):.0f} MB, {waited:.1f} s, {time.monotonic() - began:.1f} s for all")
        assert max(megabytes) < MOST_MEGABYTES


LETHAL = """
import os, sys
from bot.slack.replies import attachments

def read(self, files, *arguments):
    if any(file.name == "lethal.csv" for file in files):
        os.kill(os.getpid(), 9)
    return known(self, files, *arguments)

known = attachments.Attachments.read
attachments.Attachments.read = read
from bot.cli.main import main
main()
"""


@pytest.mark.timeout(600)
def test_a_question_that_the_process_died_of_twice_is_given_up_and_the_asker_told(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    """Whatever it is that a file does: the process is killed as it reads it, again and again."""
    lethal = [("lethal.csv", b"a,b\n1,2\n")]
    program = tmp_path / "lethal.py"
    program.write_text(LETHAL)
    with running(environment, workspace, str(program)) as bot:
        ts = workspace.post(ALICE, HELP, f"{BOT} {CODE}", files=lethal)
        assert bot.wait(120) == -signal.SIGKILL
    workspace.post(BOB, HELP, f"{BOT} {MEALS}", thread_ts=ts)
    assert started([str(program), "run"], environment).returncode == -signal.SIGKILL
    for _ in range(2):  # and it is not told, or tried, again
        with running(environment, workspace, str(program)) as bot:
            workspace.wait_for(
                lambda: len([one for one in replies(workspace, HELP, ts) if finished(one)]) == 2,
                timeout=120,
            )
            told, answered = replies(workspace, HELP, ts)
            assert GAVE_UP in told["text"]
            assert "45 EUR" in answered["text"]
            answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=60)
            assert bot.poll() is None
    examined = started(["-m", "bot.cli.main", "doctor", "--only", "records"], environment).stdout
    assert "died in them: 1 of the kind 'answer'." in " ".join(examined.split())


def started(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A program of ours, ended by itself."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
