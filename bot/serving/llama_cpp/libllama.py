"""llama.cpp's shared library, loaded on first use: its log, and its errors in a person's words."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

CLOSED = "The language model has been closed: start it again."
UNUSABLE = "The model computes no usable numbers: download its file again."

# what llama.cpp says about a file it refuses, and what a person can do about it
_REMEDIES = (
    (
        "unknown model architecture",
        "is of a kind this llama.cpp does not know: upgrade llama-cpp-python or choose another",
    ),
    (
        "unknown pre-tokenizer type",
        "has a tokenizer this llama.cpp does not know: upgrade llama-cpp-python or choose another",
    ),
    ("allocate", "does not fit into memory: choose a smaller or more strongly quantized model"),
    ("out of memory", "does not fit into memory: choose a smaller or more strongly quantized one"),
)
_DAMAGED = "is damaged or incomplete: download it again"
_ERROR_LEVEL = 4  # ggml.h; not what llama_cpp._logger says
_kept_alive: list[object] = []

errors: deque[str] = deque(maxlen=8)
"""What the library complained about lately; clear it before a call that may fail."""


@cache
def library() -> Any:
    """The C functions; the library's log goes to this module's logger at DEBUG."""
    import llama_cpp.llama_cpp as functions

    @functions.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, _: object) -> None:
        line = text.decode("utf-8", errors="replace").rstrip()
        if level == _ERROR_LEVEL:
            errors.append(line)
        logger.debug("%s", line)

    functions.llama_log_set(log, None)
    _kept_alive.append(log)  # the C side holds only a pointer
    functions.llama_backend_init()
    return functions


def return_memory() -> None:
    """Give freed memory back to the system, where the C library would keep it (glibc does)."""
    if sys.platform == "linux" and hasattr(process := ctypes.CDLL(None), "malloc_trim"):
        process.malloc_trim(0)


def why_not_loaded(path: Path) -> str:
    said = " ".join(errors).lower()
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in said), _DAMAGED)
    return f"The model file {path} {remedy}. ({first_error()})"


def first_error() -> str:
    return f"llama.cpp: {errors[0]}" if errors else "llama.cpp gave no reason"
