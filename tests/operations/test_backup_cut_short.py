"""A backup that is cut short leaves no copy of the records behind, at the latest after the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.operations.backup import back_up
from bot.records.answers import Answers
from bot.records.database import Database
from tests.operations.conftest import fill, settings_in
from tests.records.test_records import ASKED

ROOT = Path(__file__).parents[2]
LARGE = 4_000_000


@pytest.fixture
def large(tmp_path: Path) -> Settings:
    """Records that take a moment to be packed."""
    settings = settings_in(tmp_path / "data")
    with closing(Database(settings.records_url)) as database:
        for number in range(4):
            text = os.urandom(LARGE).hex()
            Answers(database).ask(replace(ASKED, id=f"C1:{number}.5", text=text))
    return settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@contextmanager
def while_it_backs_up(settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process, which has begun to copy."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LOREBOT_")
    } | {"LOREBOT_DATA_DIR": str(settings.data_dir), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bot.cli.main", "backup", str(folder)]
    with subprocess.Popen(command, env=environment, cwd=folder.parent) as process:
        while size(folder) < LARGE:
            assert process.poll() is None, "it has ended before it could be cut short"
            time.sleep(0.01)
        yield process
        process.kill()


def inside(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def size(folder: Path) -> int:
    total = 0
    for path in inside(folder):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def test_killed_backup_is_deleted_by_the_next(large: Settings, folder: Path) -> None:
    with while_it_backs_up(large, folder) as process:
        process.kill()
        process.wait()
    assert inside(folder)
    path, _ = back_up(large, folder)
    assert list(folder.iterdir()) == [path]


def test_backup_that_is_stopped_leaves_nothing(large: Settings, folder: Path) -> None:
    with while_it_backs_up(large, folder) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not list(folder.iterdir())


def test_backup_of_another_process_is_left_alone(
    large: Settings, tiny_model: Path, folder: Path, tmp_path: Path
) -> None:
    small = settings_in(tmp_path / "small")
    fill(small, tiny_model)
    with while_it_backs_up(large, folder) as process:
        process.send_signal(signal.SIGSTOP)
        mine, _ = back_up(small, folder / "mine.zip")
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    (other,) = set(folder.iterdir()) - {mine}
    assert other.suffix == ".zip"


def test_what_older_versions_left_behind_goes_once_it_is_a_day_old(
    filled: Settings, folder: Path
) -> None:
    """They locked nothing, so one of them might be at work."""
    old, young = folder / ".lorebot-backup-old", folder / ".lorebot-backup-young"
    archive = folder / ".lorebot-20260101T000000Z.zip.unfinished"
    for each in (old, young):
        each.mkdir()
        (each / "records.sqlite").write_bytes(b"everything")
    archive.write_bytes(b"everything")
    for each in (old, archive):
        os.utime(each, (0, 0))
    path, _ = back_up(filled, folder)
    assert set(folder.iterdir()) == {path, young}
