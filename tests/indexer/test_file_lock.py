"""Locks hold other processes off, in both kinds, and end with their holder."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.file_lock import lock_file

HOLD = (
    "import sys; from pathlib import Path; from indexer.file_lock import lock_file\n"
    "held = lock_file(Path(sys.argv[1]), shared=sys.argv[2] == 'shared')\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()"
)


@contextmanager
def another_process(path: Path, kind: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("theirs", "ours", "refused"),
    [
        ("shared", "shared", False),
        ("shared", "alone", True),
        ("alone", "shared", True),
        ("alone", "alone", True),
    ],
)
def test_shared_locks_stand_together_all_others_alone(
    tmp_path: Path, theirs: str, ours: str, refused: bool
) -> None:
    path = tmp_path / "lock"
    with another_process(path, theirs):
        if refused:
            with pytest.raises(BlockingIOError):
                lock_file(path, shared=ours == "shared")
        else:
            lock_file(path, shared=ours == "shared").close()


def test_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    with another_process(tmp_path / "lock", "alone") as process:
        process.kill()
        process.wait()
        lock_file(tmp_path / "lock").close()


def test_closing_lets_go(tmp_path: Path) -> None:
    with lock_file(tmp_path / "lock"), pytest.raises(BlockingIOError):
        lock_file(tmp_path / "lock")
    lock_file(tmp_path / "lock").close()


def test_waiting_ends_as_soon_as_the_holder_lets_go(tmp_path: Path) -> None:
    held = lock_file(tmp_path / "lock")
    threading.Timer(0.2, held.close).start()
    lock_file(tmp_path / "lock", wait_seconds=60).close()


def test_waiting_ends_after_the_given_time(tmp_path: Path) -> None:
    with lock_file(tmp_path / "lock"), pytest.raises(BlockingIOError):
        lock_file(tmp_path / "lock", wait_seconds=0.1)


def test_content_of_the_file_stays(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("kept")
    lock_file(tmp_path / "lock").close()
    assert (tmp_path / "lock").read_text() == "kept"


def test_folder_that_is_missing_is_another_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock_file(tmp_path / "missing" / "lock")
