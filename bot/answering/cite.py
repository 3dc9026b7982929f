"""Citation marks: ``[2]`` or ``[1, 3]`` after a sentence, numbered by first use."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bot.domain.values import Citation
from indexer.documents import Passage

MARK = r"\[\d{1,2}(?:\s*,\s*\d{1,2})*\]"
"""What a mark looks like, for larger expressions."""

_MARK = re.compile(rf"\s*({MARK})")


def marks(text: str) -> tuple[int, ...]:
    """The numbers cited in a text, each once, in order."""
    found = (number for match in _MARK.finditer(text) for number in _numbers(match[1]))
    return tuple(dict.fromkeys(found))


def without_marks(text: str) -> str:
    return _MARK.sub("", text).strip()


def with_marks(sentence: str, numbers: Sequence[int]) -> str:
    """The sentence with exactly these marks, placed after it."""
    return f"{without_marks(sentence)} {''.join(f'[{number}]' for number in numbers)}"


def renumbered(text: str, number: Callable[[int], int | None]) -> str:
    """The text with other numbers in its marks, in order; a mark of which none is left is gone."""

    def mark(match: re.Match[str]) -> str:
        now = sorted({new for old in _numbers(match[1]) if (new := number(old)) is not None})
        return f" {''.join(f'[{one}]' for one in now)}" if now else ""

    return _MARK.sub(mark, text).strip()


class Numbering:
    """Hands out citation numbers in the order in which passages are first used."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._citations: list[Citation] = []

    def number(self, passage: Passage) -> int:
        known = self._numbers.get(passage.chunk.id)
        if known is None:
            known = self._numbers[passage.chunk.id] = len(self._numbers) + 1
            self._citations.append(Citation(known, passage))
        return known

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._citations)


def _numbers(mark: str) -> list[int]:
    return [int(number) for number in mark.strip("[]").split(",")]
