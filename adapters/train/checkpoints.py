"""Where a killed run goes on: the newest checkpoint that was written to its end."""

from __future__ import annotations

import json
import re
from pathlib import Path

_NUMBERED = re.compile(r"checkpoint-(\d+)")
# in the order in which transformers' Trainer writes them; the last is the state
_STATE = "trainer_state.json"
_BEFORE = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


def newest_whole(folder: Path) -> Path | None:
    """None where no checkpoint is whole."""
    numbered = [
        (int(match[1]), path)
        for path in folder.glob("checkpoint-*")
        if (match := _NUMBERED.fullmatch(path.name))
    ]
    for _, path in sorted(numbered, reverse=True):
        if _is_whole(path):
            return path
    return None


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((checkpoint / name).is_file() for name in _BEFORE)
