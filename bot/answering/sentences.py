"""A streamed answer as whole sentences, each with its citation marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.answering.cite import MARK, without_marks
from bot.answering.excerpts import sentences

_LIST_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")
_MARK_BEFORE_STOP = re.compile(rf"\s*((?:{MARK}\s*)+)([.!?])(?=\s|$)")
_BEGUN_MARK = re.compile(r"\[[\d, ]*")
_LEADING_MARKS = re.compile(rf"\s*(?:{MARK}\s*)+")
_END = re.compile(rf"(?:\s*{MARK})*[.!?]?(?:\s*{MARK})*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """``text`` is tidied, marks after the stop; ``so_far`` is the answer to its end, verbatim."""

    text: str
    so_far: str

    @property
    def claim(self) -> str:
        """What it says, without marks and bullet."""
        return _LIST_ITEM.sub("", without_marks(self.text))


def whole_sentences(pieces: Iterator[str]) -> Iterator[Sentence]:
    """Sentences as soon as the next one has begun, so that trailing marks stay with theirs."""
    written, line, given, end = "", "", 0, 0

    def finished(texts: Sequence[str]) -> Iterator[Sentence]:
        nonlocal end
        for text in texts:
            end = _end(written, text, end)
            yield Sentence(text, written[:end])

    for piece in pieces:
        written += piece
        *complete, line = (line + piece).split("\n")
        for whole in complete:
            yield from finished(_sentences(whole)[given:])
            given = 0
        begun = _sentences(line)
        certain = len(begun) - (2 if begun and _BEGUN_MARK.fullmatch(begun[-1]) else 1)
        yield from finished(begun[given:certain])
        given = max(given, certain)
    yield from finished(_sentences(line)[given:])


def joined(kept: Sequence[str]) -> str:
    """Sentences as one paragraph, each list item on a line of its own."""
    text = ""
    for sentence in kept:
        separator = "\n" if _LIST_ITEM.match(sentence) else " "
        text += f"{separator}{sentence}" if text else sentence
    return text


def _sentences(line: str) -> list[str]:
    """A list item is one sentence; ``One. [1] Two.`` gives the mark back to its sentence."""
    if _LIST_ITEM.match(line):
        return [line.strip()]
    found: list[str] = []
    for sentence in sentences(_MARK_BEFORE_STOP.sub(r"\2 \1", line)):
        leading = _LEADING_MARKS.match(sentence)
        if found and leading:
            found[-1] += f" {leading[0].strip()}"
            sentence = sentence[leading.end() :]
        if sentence.strip():
            found.append(sentence.strip())
    return found


def _end(written: str, sentence: str, start: int) -> int:
    """Where a tidied sentence ends in what was written, with its marks."""
    words = without_marks(sentence).rstrip(".!?")
    found = written.find(words, start)
    if found < 0:  # tidied inside, too: all that is written so far holds it
        return len(written)
    marks = _END.match(written, found + len(words))
    return marks.end() if marks else found + len(words)
