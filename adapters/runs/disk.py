"""Checks that the disk has room before a stage writes gigabytes."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapters.errors import DiskFull

_RESERVE = 64 * 2**20  # what the rest of the machine may need meanwhile


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise DiskFull where ``needed`` bytes would not fit into ``folder``."""
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE:
        raise DiskFull(
            f"{purpose} needs {_megabytes(needed + _RESERVE)} on the disk of {folder}, which has "
            f"{_megabytes(free)} free; free some space and start again."
        )


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MB"
