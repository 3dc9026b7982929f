"""Stages as spans of LlamaIndex's dispatcher, heard by LlamaIndex's own simplest listener."""

from __future__ import annotations

import builtins
import inspect
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index_instrumentation import root_dispatcher
from llama_index_instrumentation.span import BaseSpan
from llama_index_instrumentation.span_handlers import SimpleSpanHandler

from bot.domain.errors import BotSettingsError
from bot.telemetry.spans import (
    QUESTION,
    STARTED,
    answering,
    current_question,
    note,
    receiving,
    root_span_id_of,
    span,
    trace_id_of,
    written_at,
)
from bot.telemetry.tracing import traced
from indexer.documents import Audience
from indexer.index import open_index
from indexer.settings import FilesSource, IndexSettings


class Heard(SimpleSpanHandler):
    """What was said of each span when it ended, too."""

    def prepare_to_exit_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        result: Any | None = None,
        **kwargs: Any,
    ) -> Any:
        self.open_spans[id_].metadata = {"result": result}
        return super().prepare_to_exit_span(id_, bound_args, instance, result, **kwargs)


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    root_dispatcher.add_span_handler(handler)
    yield handler
    root_dispatcher.span_handlers.remove(handler)


def name_of(one: BaseSpan) -> str:
    return one.id_[:-37]


def test_the_ids_of_a_trace_follow_from_the_question() -> None:
    assert trace_id_of("C1:1.5") == trace_id_of("C1:1.5") != trace_id_of("C1:2.5")
    assert (len(trace_id_of("C1:1.5")), len(root_span_id_of("C1:1.5"))) == (32, 16)
    assert root_span_id_of("C1:1.5") not in trace_id_of("C1:1.5")


def test_a_question_is_written_when_slack_says_unless_long_ago_or_not_by_message() -> None:
    ts = f"{time.time() - 5:.6f}"
    assert written_at(f"C1:{ts}") == float(ts)
    assert written_at("C1:1.5") is None
    assert written_at("command:abc") is None
    assert written_at(f"C1:{time.time() + 60:.6f}") is None


def test_stages_are_inside_the_question_and_say_what_was_noted(heard: Heard) -> None:
    question = f"C1:{time.time():.6f}"
    with answering(question):
        with span("judge"):
            note(passages=3)
        note(ending="quoted")
    judge, whole = heard.completed_spans
    assert [name_of(judge), name_of(whole)] == ["judge", QUESTION]
    assert (judge.parent_id, whole.parent_id) == (whole.id_, None)
    assert judge.metadata == {"result": {"passages": 3}}
    assert whole.metadata == {"result": {"ending": "quoted"}}
    assert whole.tags == {QUESTION: question, STARTED: float(question[3:])}


def test_a_stage_that_fails_is_dropped_and_the_error_goes_on(heard: Heard) -> None:
    with pytest.raises(LookupError), answering("C1:1.5"), span("write"):
        raise LookupError("private text")
    assert {name_of(one) for one in heard.dropped_spans} == {"write", QUESTION}
    assert heard.open_spans == {}


def test_where_nobody_listens_nothing_is_noted_but_the_question_is_known() -> None:
    with answering("C1:1.5"):
        note(ending="quoted")
        with span("judge"):
            assert current_question() == "C1:1.5"
    assert current_question() == ""


def test_threads_know_their_own_question_alone(heard: Heard) -> None:
    inside, seen = threading.Barrier(2), list[str]()

    def work(question: str) -> None:
        with receiving(question):
            inside.wait(10)
            seen.append(current_question())

    threads = [threading.Thread(target=work, args=(name,)) for name in ("C1:1.5", "C1:2.5")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["C1:1.5", "C1:2.5"]
    assert [one.parent_id for one in heard.completed_spans] == [None, None]


def test_search_and_embedding_are_spans_inside_the_stage_that_needs_them(
    heard: Heard, tmp_path: Path, cache_dir: Path
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "leave.md").write_text("# Leave\n\nEverybody has 28 days of leave a year.")
    source = FilesSource(name="docs", path=pages, audience=("public",))
    settings = IndexSettings(data_dir=tmp_path, cache_dir=cache_dir, sources=(source,))
    with open_index(settings) as index:
        index.sync()
        heard.completed_spans.clear()
        with answering("C1:1.5"), span("retrieve"):
            index.retriever(Audience.of("public")).passages("How much leave?")
    parents = {name_of(one): one.parent_id for one in heard.completed_spans}
    names = {one.id_: name_of(one) for one in heard.completed_spans}
    assert {name: names.get(parent or "") for name, parent in parents.items()} == {
        "LlamaCppEmbedding.embed": "AudienceRetriever._retrieve",
        "RecencyPrior._postprocess_nodes": "AudienceRetriever._retrieve",
        "Deduplicate._postprocess_nodes": "AudienceRetriever._retrieve",
        "MergeNeighbours._postprocess_nodes": "AudienceRetriever._retrieve",
        "AudienceRetriever._retrieve": "AudienceRetriever.retrieve",
        "AudienceRetriever.retrieve": "retrieve",
        "retrieve": QUESTION,
        QUESTION: None,
    }


def test_without_the_packages_the_setting_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("opentelemetry.exporter"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(BotSettingsError, match=r"pip install 'lorebot\[traces\]'"),
        traced("http://127.0.0.1:1/v1/traces", "one"),
    ):
        pass
    assert len(root_dispatcher.span_handlers) == 1


def test_without_a_url_nobody_listens() -> None:
    with traced("", "one"):
        assert len(root_dispatcher.span_handlers) == 1
