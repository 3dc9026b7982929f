"""The stages of a question as spans of LlamaIndex's dispatcher, beside those of its components.

Handlers of that dispatcher see them: tracing.py, or a tracer that knows LlamaIndex. Without a
handler they cost nothing. What is noted of a span is a count, a probability, a word of ours
or the id of an answer, never a text.
"""

from __future__ import annotations

import hashlib
import inspect
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from llama_index_instrumentation import get_dispatcher, root_dispatcher
from llama_index_instrumentation.span import active_span_id
from llama_index_instrumentation.span_handlers import NullSpanHandler

from bot.domain.values import timestamp_of


class Noted(dict[str, str | int | float]):
    """What is known of a span, by name: a class of its own, so that no result is taken for it."""


QUESTION, STARTED = "question", "started"
"""What a span's tags may hold: whose it is, where no span is around it, and since when."""

_LONGEST = 24 * 3600.0
_NOTHING = inspect.signature(lambda: None).bind()
_dispatcher = get_dispatcher("lorebot")
_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)
_question: ContextVar[str] = ContextVar("question", default="")


def current_question() -> str:
    """The id of the question that this thread works on, or ""."""
    return _question.get()


def trace_id_of(question_id: str) -> str:
    """The id of a question's trace, as hexadecimal digits: derived, so that nothing is kept."""
    return hashlib.sha256(f"lorebot {question_id}".encode()).hexdigest()[:32]


def root_span_id_of(question_id: str) -> str:
    """The id of the span that all others of the question's trace are in."""
    return hashlib.sha256(f"lorebot {question_id}".encode()).hexdigest()[32:48]


def written_at(question_id: str) -> float | None:
    """When the message that asks was written, by Slack's clock, in seconds since 1970.

    None where no message asks, or it is so old that it tells nothing of the bot.
    """
    ts = float(timestamp_of(question_id) or 0)
    return ts if 0 <= time.time() - ts < _LONGEST else None


def note(**noted: str | int | float) -> None:
    """Say something about the innermost span of ours that this thread is in, if it is in any."""
    known = _noted.get()
    if known is not None:
        known.update(noted)


@contextmanager
def answering(question_id: str) -> Iterator[None]:
    """The whole way of a question, from when it was written.

    The trace is the same wherever and however often a question is worked on.
    """
    before = _question.set(question_id)
    tags = Noted({QUESTION: question_id})
    if started := written_at(question_id):
        tags[STARTED] = started
    try:
        with _span(QUESTION, tags):
            yield
    finally:
        _question.reset(before)


@contextmanager
def receiving(question_id: str) -> Iterator[None]:
    """A part of a question's way that is done before, and outside of, ``answering``."""
    before = _question.set(question_id)
    try:
        with _span("receive", Noted({QUESTION: question_id})):
            yield
    finally:
        _question.reset(before)


@contextmanager
def span(name: str) -> Iterator[None]:
    """A stage."""
    with _span(name, Noted()):
        yield


@contextmanager
def _span(name: str, tags: Noted) -> Iterator[None]:
    if not _is_heard():
        yield
        return
    span_id, noted = f"{name}-{uuid.uuid4()}", Noted()
    parent = active_span_id.get()
    active, before = active_span_id.set(span_id), _noted.set(noted)
    _dispatcher.span_enter(id_=span_id, bound_args=_NOTHING, parent_id=parent, tags=dict(tags))
    try:
        yield
    except BaseException as error:
        _dispatcher.span_drop(id_=span_id, bound_args=_NOTHING, err=error)
        raise
    else:
        _dispatcher.span_exit(id_=span_id, bound_args=_NOTHING, result=noted)
    finally:
        _noted.reset(before)
        active_span_id.reset(active)


def _is_heard() -> bool:
    return any(not isinstance(one, NullSpanHandler) for one in root_dispatcher.span_handlers)
