"""Small lessons for tests of training: what to learn, as the dataset stage writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from adapters.dataset.examples import (
    Example,
    Kind,
    LabelledAnswer,
    Origin,
    PreferencePair,
    Source,
    write_items,
)
from bot.domain.values import Message

_ORIGIN = Origin(exchange="A1", source=Source.VOTE)
_SUBJECTS = "office kitchen leave badge laptop salary journey search mail billing".split()
_PLACES = "mill garden tower".split()


def prompt(subject: str) -> tuple[Message, ...]:
    return (Message("system", "Be brief."), Message("user", f"Where is the {subject}?"))


def examples(count: int) -> list[Example]:
    """Questions with short answers, again and again."""
    return [
        Example(Kind.ANSWER, prompt(subject), f"In the {place} [1].", _ORIGIN)
        for subject, place in _pairs(count)
    ]


def answered(answer: str, count: int) -> list[Example]:
    """The same questions, all with one answer."""
    return [Example(Kind.ANSWER, prompt(subject), answer, _ORIGIN) for subject, _ in _pairs(count)]


def pairs(count: int) -> list[PreferencePair]:
    return [
        PreferencePair(prompt(subject), f"In the {place} [1].", "I do not know.", _ORIGIN)
        for subject, place in _pairs(count)
    ]


def thumbs(count: int) -> list[LabelledAnswer]:
    """Every other one down."""
    return [
        LabelledAnswer(
            prompt(subject), f"In the {place} [1]." if up else "I do not know.", up, _ORIGIN
        )
        for up, (subject, place) in zip(_alternating(), _pairs(count), strict=False)
    ]


def write(
    folder: Path, items: Sequence[Example | PreferencePair | LabelledAnswer], *, validation: int = 0
) -> dict[str, Path]:
    """Two files, the last ``validation`` items in the second."""
    folder.mkdir(parents=True, exist_ok=True)
    cut = len(items) - validation
    learned = write_items(folder / "examples.jsonl", items[:cut])
    return {
        "examples": learned,
        "validation": write_items(folder / "validation.jsonl", items[cut:]),
    }


def _pairs(count: int) -> Iterable[tuple[str, str]]:
    for number in range(count):
        yield _SUBJECTS[number % len(_SUBJECTS)], _PLACES[number % len(_SUBJECTS) % len(_PLACES)]


def _alternating() -> Iterable[bool]:
    up = False
    while True:
        yield (up := not up)
