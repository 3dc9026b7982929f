"""A run goes on from a checkpoint that was written to its end, never from a part of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.train.loop import newest_complete

FILES = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def checkpoint(folder: Path, step: int, *, without: str = "", state: str = "{}") -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    for name in FILES:
        if name != without:
            (path / name).write_text(state if name == FILES[-1] else "")
    return path


def test_the_newest_is_found_by_number(tmp_path: Path) -> None:
    checkpoint(tmp_path, 9)
    newest = checkpoint(tmp_path, 100)
    assert newest_complete(tmp_path) == newest


@pytest.mark.parametrize("missing", FILES)
def test_a_checkpoint_with_a_file_missing_is_passed_over(tmp_path: Path, missing: str) -> None:
    whole = checkpoint(tmp_path, 1)
    checkpoint(tmp_path, 2, without=missing)
    assert newest_complete(tmp_path) == whole


def test_a_checkpoint_whose_state_is_cut_is_passed_over(tmp_path: Path) -> None:
    checkpoint(tmp_path, 2, state='{"global_step": 2, "log_hi')
    assert newest_complete(tmp_path) is None


def test_no_folder_means_no_checkpoint(tmp_path: Path) -> None:
    assert newest_complete(tmp_path / "none") is None
