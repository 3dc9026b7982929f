"""Reviewing a dataset: page through what is learned from each exchange, and strike some of it.

Decisions name question and answer, not a line of a file, so that they hold for every dataset that
is built later. A struck exchange leaves it with all that was made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from adapters.dataset.examples import (
    Example,
    Kind,
    LabelledAnswer,
    Origin,
    PreferencePair,
    read_items,
)
from adapters.errors import DatasetError
from adapters.runs.files import numbered_lines
from adapters.runs.manifest import Manifest


class Verdict(StrEnum):
    KEPT = "kept"
    STRUCK = "struck"


@dataclass(frozen=True, slots=True)
class Decision:
    """One reviewer's word on one exchange; the newest holds."""

    exchange: str
    verdict: Verdict
    by: str
    why: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True)
class Page:
    """All that is learned from one exchange, for a person to read.

    ``good`` and ``bad`` are answers to say and not to say, "" where there is none; ``teaches``
    names the kinds of examples made of it.
    """

    origin: Origin
    good: str = ""
    bad: str = ""
    teaches: list[str] = field(default_factory=list)
    decision: Decision | None = None


_ADAPTER = TypeAdapter(Decision)


class Decisions:
    """A JSON Lines file that is only ever added to."""

    def __init__(self, path: Path) -> None:
        """Raises DatasetError where the file is damaged; a missing one holds no decisions."""
        self._path = path
        self._newest: dict[str, Decision] = {}
        lines = numbered_lines(path, "reviewers' decisions") if path.exists() else []
        for number, line in lines:
            try:
                decision = _ADAPTER.validate_json(line)
            except ValidationError as error:
                raise DatasetError(
                    f"{path}, line {number} is no decision; correct or remove that line."
                ) from error
            self._newest[decision.exchange] = decision

    def decide(self, decision: Decision) -> None:
        """Keep it at once, so that a review can be left at any time. Raises DatasetError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_ADAPTER.dump_json(decision).decode() + "\n")
        except OSError as error:
            raise DatasetError(f"{self._path} cannot be written: {error}") from error
        self._newest[decision.exchange] = decision

    def of(self, exchange: str) -> Decision | None:
        return self._newest.get(exchange)

    @property
    def struck(self) -> frozenset[str]:
        """The exchanges that nothing may be learned from."""
        return frozenset(
            name for name, decision in self._newest.items() if decision.verdict is Verdict.STRUCK
        )


def pages(dataset: Manifest, decisions: Decisions) -> list[Page]:
    """One page per exchange, the undecided first, else in the dataset's order.

    General examples are not reviewed here. Raises ManifestError and DatasetError.
    """
    found: dict[str, Page] = {}
    for item in _items(dataset):
        page = found.setdefault(item.origin.exchange, Page(item.origin))
        page.decision = decisions.of(item.origin.exchange)
        _add(page, item)
    return sorted(found.values(), key=lambda page: page.decision is not None)


def _items(dataset: Manifest) -> Iterator[Example | PreferencePair | LabelledAnswer]:
    for name in dataset.outputs:
        path = dataset.output(name)
        if name.startswith("preferences"):
            yield from read_items(path, PreferencePair)
        elif name.startswith(("thumbs", "ai_feedback")):
            yield from read_items(path, LabelledAnswer)
        elif path.suffix == ".jsonl":
            examples = read_items(path, Example)
            yield from (example for example in examples if example.kind is not Kind.REPLAY)


def _add(page: Page, item: Example | PreferencePair | LabelledAnswer) -> None:
    match item:
        case PreferencePair():
            page.good, page.bad, taught = item.chosen, item.rejected, "preference"
        case LabelledAnswer(label=True):
            page.good, taught = item.completion, "thumb up"
        case LabelledAnswer():
            page.bad, taught = item.completion, "thumb down"
        case Example(kind=Kind.ANSWER | Kind.REFUSAL):
            page.good, taught = page.good or item.completion, item.kind.value
        case _:
            taught = item.kind.value
    if taught not in page.teaches:
        page.teaches.append(taught)
