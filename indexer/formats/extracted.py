"""The value that every format's reader returns, and the formatting that they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file as Markdown; ``title`` is empty where the file names none."""

    title: str
    text: str


def one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def table(rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table with the first row as head, without empty rows and empty last columns."""
    filled = [cells for row in rows if any(cells := [_cell(value) for value in row])]
    width = max((_width(cells) for cells in filled), default=0)
    if not width:
        return ""
    lines = [_line([*cells, *[""] * width][:width]) for cells in filled]
    return "\n".join([lines[0], _line(["---"] * width), *lines[1:]])


def _cell(value: object) -> str:
    return "" if value is None else one_line(str(value)).replace("|", "\\|")


def _width(cells: Sequence[str]) -> int:
    return max((number for number, cell in enumerate(cells, 1) if cell), default=0)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
