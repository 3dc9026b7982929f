"""Redacting whole examples: every text that a model or a reviewer will see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from adapters.dataset.examples import Example, LabelledAnswer, Origin, PreferencePair
from adapters.dataset.redact import Redactor
from bot.domain.values import Message

Item = TypeVar("Item", Example, PreferencePair, LabelledAnswer)


def redacted(items: Iterable[Item], redactor: Redactor) -> list[Item]:
    """The same examples without secrets and personal data."""
    return [_redacted(item, redactor) for item in items]


def _redacted(item: Item, redactor: Redactor) -> Item:
    messages = tuple(
        Message(message.role, redactor.redact(message.content)) for message in item.messages
    )
    origin = _origin(item.origin, redactor)
    if isinstance(item, PreferencePair):
        return replace(
            item,
            messages=messages,
            chosen=redactor.redact(item.chosen),
            rejected=redactor.redact(item.rejected),
            origin=origin,
        )
    completion = redactor.redact(item.completion)
    return replace(item, messages=messages, completion=completion, origin=origin)


def _origin(origin: Origin, redactor: Redactor) -> Origin:
    return replace(origin, question=redactor.redact(origin.question))
