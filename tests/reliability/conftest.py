"""The real bot as a process of its own, on disks, clocks and servers that are made to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.slack.connection.manifest import manifest
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOT, HELP
from tests.services.bot_process import bot_environment

MEALS = "How much may I spend on meals per day when I travel?"
LEAVE = "How many days of paid leave do I have?"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """Slack, which sends again what nobody took: every two seconds here, for a minute."""
    with Workspace(manifest=manifest(), redelivery_delays=(2.0,) * 30) as workspace:
        yield workspace


@pytest.fixture
def environment(workspace: Workspace, cache_dir: Path, tmp_path: Path) -> dict[str, str]:
    """For a bot with two pages of its own, which are read in no time."""
    pages = tmp_path / "handbook"
    pages.mkdir()
    (pages / "travel.md").write_text("# Travel\n\nMeals are paid up to 45 EUR per day of travel.\n")
    (pages / "leave.md").write_text("# Leave\n\nEverybody has 30 days of paid leave a year.\n")
    environment = bot_environment(workspace, tmp_path, pages)
    return environment | {"LOREBOT_CACHE_DIR": str(cache_dir)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB of its own; only root may have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("only root may mount a disk of its own")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the space there is, to the last byte; deleting the file gives it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                if file.write(b"\0" * size) < size:
                    size //= 2
            except OSError:
                size //= 2
    return ballast


def posted(workspace: Workspace, question: str = MEALS) -> str:
    return workspace.post(ALICE, HELP, f"{BOT} {question}")


def refused_twice(workspace: Workspace, ts: str) -> bool:
    """Whether the bot has let Slack send a message again, more than once."""
    return any(workspace.attempts(event) > 2 for event in workspace.event_ids(ts))


def failing(environment: dict[str, str], *arguments: str, seconds: float = 120) -> str:
    """What a command says that ends with exit code 1: sentences, not a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 1, (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return done.stderr


def lorebot(environment: dict[str, str], *arguments: str) -> str:
    """What a command prints that succeeds."""
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def process(environment: dict[str, str], program: str, *arguments: str) -> Iterator[str]:
    """A program beside, which says one line when it has begun."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment or dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            yield child.stdout.readline()
        finally:
            child.kill()
