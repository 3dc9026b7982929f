"""What is learned from: supervised examples, preference pairs and thumbs, as JSON Lines.

Every line of a file of the dataset is one of these values. ``messages`` are the prompt exactly as
it is served; ``completion``, ``chosen`` and ``rejected`` are what the assistant says after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from adapters.errors import DatasetError
from adapters.runs.files import numbered_lines
from bot.domain.values import Message


class Kind(StrEnum):
    """What an example teaches; those with ``reflection:`` are answered with Yes or No."""

    ANSWER = "answer"
    REFUSAL = "refusal"
    RETRIEVE = "reflection:retrieve"
    RELEVANT = "reflection:relevant"
    SUPPORTED = "reflection:supported"
    USEFUL = "reflection:useful"
    REPLAY = "replay"


class Source(StrEnum):
    """Where a judgement comes from. RLAIF is a model's, and never in a file with people's."""

    VOTE = "vote"
    CORRECTION = "correction"
    ESCALATION = "escalation"
    GOLDEN = "golden"
    GENERAL = "general"
    RLAIF = "rlaif"


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something to learn comes from.

    ``exchange`` names question and answer, whatever is made of them: reviewers decide on it.
    ``question`` stands alone, without its thread. ``thread`` lies in one split only.
    ``documents`` are those that the answer rests on; ``audience`` is what its readers held.
    """

    exchange: str
    source: Source
    question: str = ""
    thread: str = ""
    channel: str = ""
    asked_at: datetime | None = None
    audience: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and what follows it. A held-out answer's question is asked anew where models
    are compared.
    """

    kind: Kind
    messages: tuple[Message, ...]
    completion: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """For DPO (Rafailov et al. 2023): a person's correction over the answer it corrects."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """For KTO (Ethayarajh et al. 2024): an answer that was desirable, or not.

    ``people`` is the number of votes behind ``label``, 0 where a model judged.
    """

    messages: tuple[Message, ...]
    completion: str
    label: bool
    origin: Origin
    people: int = 1


@dataclass(slots=True)
class Taught:
    """All that one dataset teaches, by split; what a model judged is apart from people's words."""

    examples: dict[Split, list[Example]] = field(default_factory=dict)
    preferences: dict[Split, list[PreferencePair]] = field(default_factory=dict)
    thumbs: dict[Split, list[LabelledAnswer]] = field(default_factory=dict)
    ai_feedback: list[LabelledAnswer] = field(default_factory=list)


Item = TypeVar("Item", Example, PreferencePair, LabelledAnswer)


def write_items(path: Path, items: Iterable[Example | PreferencePair | LabelledAnswer]) -> Path:
    """One line per item; the same items make the same bytes."""
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            line = json.dumps(asdict(item), ensure_ascii=False, sort_keys=True, default=_plain)
            file.write(f"{line}\n")
    return path


def read_items(path: Path, item: type[Item]) -> Iterator[Item]:
    """The items of a file in order. Raises DatasetError with the number of a damaged line."""
    adapter: TypeAdapter[Item] = TypeAdapter(item)
    for number, line in numbered_lines(path, f"{item.__name__} lines"):
        try:
            yield adapter.validate_json(line)
        except ValidationError as error:
            raise DatasetError(
                f"{path}, line {number} is no {item.__name__}: {error.errors()[0]['msg']}. "
                "Build the dataset again."
            ) from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")
