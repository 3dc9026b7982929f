"""Contestants in a process of their own, so that their threads slow nobody here.

The threads of llama.cpp (OpenMP) wait for each other by spinning only while a process has no more
of them than cores. Once two of its threads have computed with a model each, they sleep instead:
decoding took 1.5 times as long here (.39 to .58 s for 30 tokens).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Contestants = TypeVar("Contestants")

_here: list[Any] = []


class Apart(Generic[Contestants]):
    """What ``make`` returns, made and used in another process; ``make`` must be importable."""

    def __init__(self, make: Callable[[], Contestants]) -> None:
        self._process = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), partial(_keep, make)
        )

    def do(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """``act(contestants, *arguments)``, there; ``act`` must be importable."""
        return self._process.submit(_do, act, *arguments).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.shutdown()


def _keep(make: Callable[[], Any]) -> None:
    _here.append(make())


def _do(act: Callable[..., Any], *arguments: Any) -> Any:
    return act(_here[0], *arguments)
