"""OpenTelemetry traces out of the spans of LlamaIndex's dispatcher, exported by OTLP over HTTP.

Only what ``spans.py`` lets be noted leaves the process, besides the names of components and their
durations: LlamaIndex's own spans bring prompts, passages and answers along, which are not read.
The packages are imported only where traces are wanted.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from llama_index_instrumentation import root_dispatcher
from llama_index_instrumentation.span import BaseSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from pydantic import PrivateAttr

from bot.domain.errors import BotSettingsError
from bot.telemetry.spans import QUESTION, STARTED, Noted, root_span_id_of, trace_id_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.trace import Span, Tracer

_PREFIX = "lorebot."
_UNIQUE = 1 + 36
"""Characters behind a span's name in LlamaIndex's id of it: a dash and a UUID."""
_EXPORT_SECONDS = 5.0
_NANOSECONDS = 1_000_000_000

_ids: ContextVar[tuple[int, int] | None] = ContextVar("ids of the next span", default=None)


@contextmanager
def traced(url: str, replica: str, version: str = "") -> Iterator[None]:
    """Within the block, export to ``url``, such as http://127.0.0.1:4318/v1/traces; "" is nowhere.

    A receiver that is away costs nothing but its spans. Raises BotSettingsError where the packages
    are missing.
    """
    if not url:
        yield
        return
    provider = _provider(url, replica, version)
    handler = DispatcherSpans(provider.get_tracer("lorebot"))
    root_dispatcher.add_span_handler(handler)
    try:
        yield
    finally:
        root_dispatcher.span_handlers.remove(handler)
        provider.shutdown()


class OpenSpan(BaseSpan):
    """A span of the dispatcher that has begun, and the one of OpenTelemetry that it is."""

    _span: Span = PrivateAttr()

    def __init__(self, span_id: str, parent_id: str | None, span: Span) -> None:
        super().__init__(id_=span_id, parent_id=parent_id)
        self._span = span

    @property
    def span(self) -> Span:
        return self._span


class DispatcherSpans(BaseSpanHandler[OpenSpan]):
    """Listens to the dispatcher; makes no span of what happens outside of a question."""

    _tracer: Tracer = PrivateAttr()

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(open_spans={})
        self._tracer = tracer

    @classmethod
    def class_name(cls) -> str:
        return "DispatcherSpans"

    def new_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        parent_span_id: str | None = None,
        tags: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> OpenSpan | None:
        name, tags = id_[:-_UNIQUE], tags or {}
        if QUESTION in tags:
            span = self._of_question(name, str(tags[QUESTION]), tags.get(STARTED))
        else:
            parent = self.open_spans.get(parent_span_id or "")
            if parent is None:
                return None
            span = self._tracer.start_span(name, context=_within(parent.span))
        return OpenSpan(id_, parent_span_id, span)

    def prepare_to_exit_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        result: Any | None = None,
        **kwargs: Any,
    ) -> OpenSpan | None:
        ended = self.open_spans.get(id_)
        if ended is not None:
            if isinstance(result, Noted):
                ended.span.set_attributes({f"{_PREFIX}{name}": one for name, one in result.items()})
            ended.span.end()
        return ended

    def prepare_to_drop_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        err: BaseException | None = None,
        **kwargs: Any,
    ) -> OpenSpan | None:
        """An error is told by its type: its sentence may quote what it stumbled over."""
        from opentelemetry.trace import Status, StatusCode

        dropped = self.open_spans.get(id_)
        if dropped is not None:
            dropped.span.set_attribute("error.type", type(err).__name__)
            dropped.span.set_status(Status(StatusCode.ERROR))
            dropped.span.end()
        return dropped

    def _of_question(self, name: str, question_id: str, started: float | None) -> Span:
        """The root of the question's trace, or what is directly below it."""
        ids = int(trace_id_of(question_id), 16), int(root_span_id_of(question_id), 16)
        if name != QUESTION:
            return self._tracer.start_span(name, context=_within_root(*ids))
        from opentelemetry.context import Context

        since = None if started is None else int(started * _NANOSECONDS)
        before = _ids.set(ids)
        try:
            return self._tracer.start_span(
                name,
                context=Context(),
                start_time=since,
                attributes={f"{_PREFIX}{QUESTION}": question_id},
            )
        finally:
            _ids.reset(before)


class _Ids:
    """An IdGenerator of OpenTelemetry: random, except for the root of a question's trace."""

    def __init__(self, random: RandomIdGenerator) -> None:
        self._random = random

    def generate_trace_id(self) -> int:
        given = _ids.get()
        return given[0] if given else int(self._random.generate_trace_id())

    def generate_span_id(self) -> int:
        given = _ids.get()
        return given[1] if given else int(self._random.generate_span_id())

    def is_trace_id_random(self) -> bool:
        return False


def _within(span: Span) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span, Context())


def _within_root(trace_id: int, span_id: int) -> Context:
    """Below a span that is begun elsewhere, or later."""
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

    sampled = TraceFlags(TraceFlags.SAMPLED)
    return _within(NonRecordingSpan(SpanContext(trace_id, span_id, True, sampled)))


def _provider(url: str, replica: str, version: str) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError as error:
        raise BotSettingsError(
            "[monitor] traces_url is set, but OpenTelemetry is not installed: run "
            "pip install 'lorebot[traces]', or leave traces_url empty."
        ) from error

    about = {
        "service.name": "lorebot",
        "service.version": version,
        "service.instance.id": replica,
    }
    ids = _Ids(RandomIdGenerator())
    provider = TracerProvider(resource=Resource(about), id_generator=ids, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
