"""Cores by affinity and by limits of control groups, as a kernel would tell them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indexer.cores import usable_cores


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(16)), raising=False)


def cores(folder: Path, group: str, **limits: str) -> int:
    """Where ``limits`` are the lines of cpu.max, by the group's name ("" is spelt root)."""
    (folder / "own").write_text(group)
    for name, line in limits.items():
        place = folder / "cgroup" / (name.replace("__", "/") if name != "root" else "")
        place.mkdir(parents=True, exist_ok=True)
        (place / "cpu.max").write_text(line)
    return usable_cores(folder / "cgroup", folder / "own")


def test_without_a_limit_each_core_counts(tmp_path: Path) -> None:
    assert cores(tmp_path, "0::/system.slice\n", system="max 100000\n") == 16
    assert usable_cores(tmp_path / "none", tmp_path / "no file") == 16


@pytest.mark.parametrize(
    ("line", "whole"), [("400000 100000\n", 4), ("250000 100000", 2), ("50000 100000", 1)]
)
def test_a_limit_of_time_is_one_of_whole_cores(tmp_path: Path, line: str, whole: int) -> None:
    assert cores(tmp_path, "0::/\n", root=line) == whole


def test_the_narrowest_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    group = "0::/lorebot/bot\n"
    assert cores(tmp_path, group, lorebot="300000 100000", lorebot__bot="800000 100000") == 3


def test_a_limit_beyond_the_machine_adds_no_cores(tmp_path: Path) -> None:
    assert cores(tmp_path, "0::/\n", root="6400000 100000\n") == 16


def test_what_the_kernel_tells_otherwise_is_no_limit(tmp_path: Path) -> None:
    assert cores(tmp_path, "4:cpu:/old\n1:name=systemd:/\n", root="100000 100000\n") == 16
    assert cores(tmp_path, "0::/\n", root="nonsense\n") == 16
