"""Count the cores that this process may use, by CPU affinity and cgroup limits.

A container's CPU limit is a share of time; the program still sees every core of the machine. With a
thread for each of them, llama.cpp spends most of that limit on threads that wait for each other.
"""

from __future__ import annotations

import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def usable_cores(groups: Path = _GROUPS, own_group: Path = _OWN_GROUP) -> int:
    """The least that affinity and Linux' control groups (v2) allow, at least one."""
    pinned = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if pinned else os.cpu_count() or 1
    return max(1, min([cores, *_limits(groups, own_group)]))


def _limits(groups: Path, own_group: Path) -> list[int]:
    """Whole cores allowed to the control group of this process and to each group above it."""
    try:
        (name,) = [
            line.removeprefix("0::/")
            for line in own_group.read_text().splitlines()
            if line.startswith("0::/")
        ]
    except (OSError, ValueError):
        return []
    group = groups / name
    return [
        limit
        for folder in (group, *group.parents)
        if folder.is_relative_to(groups) and (limit := _limit(folder / "cpu.max"))
    ]


def _limit(file: Path) -> int:
    """Of ``cpu.max`` (Linux' admin-guide/cgroup-v2.rst) in cores; 0 where there is no limit."""
    try:
        quota, period = file.read_text().split()
        return 0 if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return 0
