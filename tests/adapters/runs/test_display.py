"""A terminal shows how far a run is, what it reached and how long it will take."""

from __future__ import annotations

import io

from rich.console import Console

from adapters.runs.display import Terminal


def shown(*, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    display = Terminal(console)
    display.tell("Trains [2%] of it.")
    with display.bar("Training", 8) as bar:
        bar.move(3, "loss 1.234")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_steps_loss_and_the_time_left() -> None:
    text = shown(terminal=True)
    for part in ("Trains [2%] of it.", "Training", "3/8", "loss 1.234", "left"):
        assert part in text


def test_a_file_is_given_sentences_alone() -> None:
    assert shown(terminal=False).strip() == "Trains [2%] of it."
