"""Replay: general examples among the team's own, so that what a model could do it still can.

A JSON Lines file; each line has ``messages`` (``role`` and ``content``) and ``completion``, or
``messages`` alone, the last of which is the assistant's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.dataset.examples import Example, Kind, Origin, Source
from adapters.errors import DatasetError
from adapters.runs.files import numbered_lines
from bot.domain.values import Message


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    messages: list[Message]
    completion: str = ""


_ADAPTER = TypeAdapter(_Line)


class Replay:
    """Hands out general examples, each at most once, in an order that the seed decides."""

    def __init__(self, path: Path | None, share: float, seed: int) -> None:
        """``share`` in 0..1 is that of the examples they are added to. Raises DatasetError."""
        self._share = share
        self._left = (
            sorted(_read(path), key=lambda example: example.origin.exchange) if path else []
        )
        Random(seed).shuffle(self._left)  # noqa: S311 - no secret

    def beside(self, examples: int) -> list[Example]:
        """As many as make up the share together with that many examples, while there are any."""
        wanted = round(examples * self._share / (1 - self._share))
        taken, self._left = self._left[:wanted], self._left[wanted:]
        return taken


def _read(path: Path) -> list[Example]:
    examples = [
        _example(path, number, line) for number, line in numbered_lines(path, "general examples")
    ]
    return list({example.origin.exchange: example for example in examples}.values())


def _example(path: Path, number: int, line: str) -> Example:
    try:
        read = _ADAPTER.validate_json(line)
    except ValidationError as error:
        raise DatasetError(f"{path}, line {number}: {error.errors()[0]['msg']}.") from error
    messages, completion = read.messages, read.completion
    if not completion and messages and messages[-1].role == "assistant":
        messages, completion = messages[:-1], messages[-1].content
    if not messages or not completion:
        raise DatasetError(f"{path}, line {number} has no completion, or nothing before it.")
    content = "\0".join((*(f"{m.role}:{m.content}" for m in messages), completion))
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    origin = Origin(name, Source.GENERAL, question=messages[-1].content, thread=f"general:{name}")
    return Example(Kind.REPLAY, tuple(messages), completion, origin)
