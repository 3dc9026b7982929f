"""Shows how a stage is doing: sentences, and a progress bar with the time that is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar(Protocol):
    """Moves forward; ``note`` says what was reached, for instance the loss."""

    def move(self, done: int, note: str = "") -> None: ...


class Display(Protocol):
    """Where a stage tells what it does."""

    def tell(self, sentence: str) -> None: ...

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Bar]:
        """Shown while the block runs."""
        ...


class Silent:
    """A display that shows nothing."""

    def tell(self, sentence: str) -> None:
        pass

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Bar]:
        yield self

    def move(self, done: int, note: str = "") -> None:
        pass


class Terminal:
    """A display on a terminal; where that is none, sentences only."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    def tell(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Bar]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        shown = self._console.is_terminal
        with Progress(*columns, console=self._console, disable=not shown) as progress:
            task = progress.add_task(title, total=total, note="")

            class Moving:
                def move(self, done: int, note: str = "") -> None:
                    progress.update(task, completed=done, note=note)

            yield Moving()
