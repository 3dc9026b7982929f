"""A llama.cpp that dies while it computes, in processes that are started with its environment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal, TypeAlias

import pytest

When: TypeAlias = Literal["repacked", "always"]
_SOURCE = Path(__file__).with_name("dying_llama.c")


def dying_llama(folder: Path, when: When) -> dict[str, str]:
    """The environment; "repacked" is only where weights were rearranged for the processor."""
    if shutil.which("cc") is None:
        pytest.skip("a C compiler is needed to let llama.cpp die")
    library = folder / "dying_llama.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "DYING_LLAMA": when}


def let_children_die(folder: Path, monkeypatch: pytest.MonkeyPatch, when: When) -> None:
    """From now on llama.cpp dies in the children of this process, but not in itself."""
    for variable, value in dying_llama(folder, when).items():
        monkeypatch.setenv(variable, value)
