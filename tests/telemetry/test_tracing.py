"""Traces as a real receiver gets them, of the real pipeline; nothing in them is content."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index_instrumentation import root_dispatcher

from bot.answering.pipeline import Pipeline
from bot.domain.values import Question
from bot.serving.lending import FixedModels
from bot.serving.llamaindex import LorebotLLM
from bot.telemetry.spans import answering, note, receiving, root_span_id_of, span, trace_id_of
from bot.telemetry.tracing import traced
from indexer.documents import Audience
from indexer.index import Index, open_index
from indexer.settings import FilesSource, IndexSettings
from tests.services.scripted_model import ScriptedModel

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
from tests.services.otlp_receiver import Receiver, attributes, otlp_receiver

PAGE = "# Hotel limits\n\nThe hotel limit in London is 180 GBP a night. Keep every receipt."
ASKED = "What is the hotel limit in London?"
ANSWER = "The hotel limit in London is 180 GBP a night [1]."


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="class")
def index(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "limits.md").write_text(PAGE)
    source = FilesSource(name="docs", path=folder, audience=("public",))
    data = tmp_path_factory.mktemp("index")
    settings = IndexSettings(data_dir=data, cache_dir=cache_dir, sources=(source,))
    with open_index(settings) as index:
        index.sync()
        yield index


def test_a_question_is_one_trace_with_every_stage_and_no_content(
    receiver: Receiver, index: Index
) -> None:
    question_id = f"C1:{time.time() - 5:.6f}"
    pipeline = Pipeline(index, FixedModels(ScriptedModel(ANSWER)))
    with traced(receiver.url, "one", "0.1.0"), answering(question_id):
        pipeline.answer(Question(question_id, ASKED, Audience.of("public")))
        note(ending="generated", citations=1)
    spans = receiver.spans
    names = {one.span_id: one.name for one in spans}
    parents = {one.name: names.get(one.parent_span_id, "") for one in spans}
    assert parents == {
        "question": "",
        "route": "question",
        "condense": "question",
        "retrieve": "question",
        "evidence": "question",
        "judge": "question",
        "write": "question",
        "check": "write",
        "AudienceRetriever.retrieve": "retrieve",
        "AudienceRetriever._retrieve": "AudienceRetriever.retrieve",
        "RecencyPrior._postprocess_nodes": "AudienceRetriever._retrieve",
        "Deduplicate._postprocess_nodes": "AudienceRetriever._retrieve",
        "MergeNeighbours._postprocess_nodes": "AudienceRetriever._retrieve",
        "LlamaCppEmbedding.embed": "evidence",  # the last time, to score what was found
    }
    assert {one.trace_id.hex() for one in spans} == {trace_id_of(question_id)}
    (root,) = [one for one in spans if one.name == "question"]
    assert root.span_id.hex() == root_span_id_of(question_id)
    assert attributes(root) == {
        "lorebot.question": question_id,
        "lorebot.ending": "generated",
        "lorebot.citations": 1,
    }
    assert root.end_time_unix_nano - root.start_time_unix_nano > 5e9
    assert all(one.start_time_unix_nano <= one.end_time_unix_nano for one in spans)
    about = {
        one.key: one.value.string_value
        for request in receiver.requests
        for one in request.resource_spans[0].resource.attributes
    }
    assert about == {
        "service.name": "lorebot",
        "service.version": "0.1.0",
        "service.instance.id": "one",
    }
    assert_free_of(receiver, ASKED, PAGE, ANSWER)


def test_what_llamaindex_asks_our_model_and_retriever_is_in_the_trace_without_its_texts(
    receiver: Receiver, index: Index
) -> None:
    llm = LorebotLLM(ScriptedModel(ANSWER))
    retriever = index.retriever(Audience.of("public"))
    with traced(receiver.url, "one"), answering("C1:1.5"), span("write"):
        retriever.retrieve(ASKED)
        llm.complete(ASKED)
        "".join(piece.delta or "" for piece in llm.stream_complete(ASKED))
    names = [one.name for one in receiver.spans]
    assert {"LorebotLLM.complete", "LorebotLLM.stream_complete"} <= set(names)
    assert {"AudienceRetriever.retrieve", "AudienceRetriever._retrieve"} <= set(names)
    assert len({one.trace_id for one in receiver.spans}) == 1
    assert_free_of(receiver, ASKED, PAGE, ANSWER)


def test_an_error_is_told_by_its_type_alone(receiver: Receiver) -> None:
    with traced(receiver.url, "one"), pytest.raises(LookupError), answering("C1:1.5"):
        raise LookupError("Project Bittern")
    (root,) = receiver.spans
    assert attributes(root)["error.type"] == "LookupError"
    assert root.status.code == 2
    assert root.status.message == ""
    assert_free_of(receiver, "Project Bittern")


def test_what_another_process_does_for_a_question_is_in_the_same_trace(receiver: Receiver) -> None:
    with traced(receiver.url, "one"), receiving("C1:1.5"):
        pass
    with traced(receiver.url, "two"), answering("C1:1.5"):
        pass
    receive, root = receiver.spans
    assert (receive.name, root.name) == ("receive", "question")
    assert receive.parent_span_id == root.span_id
    assert receive.trace_id == root.trace_id


def test_work_outside_of_questions_makes_no_spans(receiver: Receiver, index: Index) -> None:
    with traced(receiver.url, "one"):
        index.retriever(Audience.of("public")).retrieve(ASKED)
    assert receiver.spans == []


def test_a_receiver_that_fails_costs_spans_and_nothing_else(receiver: Receiver) -> None:
    receiver.status = 400
    with traced(receiver.url, "one"), answering("C1:1.5"):
        pass
    assert receiver.spans == []
    assert len(root_dispatcher.span_handlers) == 1


def assert_free_of(receiver: Receiver, *texts: str) -> None:
    """No word of any of the texts that is longer than four letters is in what was sent."""
    sent = b"".join(receiver.bodies)
    assert sent
    words = {word.strip("#?.[]") for text in texts for word in text.split()}
    found = [word for word in words if len(word) > 4 and word.encode() in sent]
    assert found == []
