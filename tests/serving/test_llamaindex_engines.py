"""Retriever, language model and embedder inside LlamaIndex's own engines and evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.base.response.schema import Response, StreamingResponse
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.evaluation import (
    FaithfulnessEvaluator,
    RelevancyEvaluator,
    RetrieverEvaluator,
    SemanticSimilarityEvaluator,
)
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import (
    CitationQueryEngine,
    RetrieverQueryEngine,
    RouterQueryEngine,
)
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel, PrivateAttr

from bot.answering.pipeline import Pipeline
from bot.domain.values import Message, Question
from bot.serving.lending import FixedModels
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.llamaindex import LorebotLLM
from bot.serving.model import LanguageModel, Sampling
from indexer.chunking.chunking import Chunker
from indexer.documents import Audience, Document
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.index import Index, open_index
from indexer.retrieval.retriever import AudienceRetriever
from indexer.settings import FilesSource, IndexSettings
from indexer.stores.sqlite import SqliteStore
from indexer.sync.sync import Plan, apply
from tests.services.scripted_model import ScriptedModel
from tests.serving.llama_cpp.engines import load

PUBLIC = Audience.of("public")
SABBATICAL, SOUP = "Everybody may take six weeks off.", "Warm soup is served at noon."
QUESTION = "How long may a sabbatical be?"
PAGES = (
    Document("d:leave.md", "d", "Leave", f"## Sabbatical\n{SABBATICAL}", PUBLIC),
    Document("d:lunch.md", "d", "Lunch", SOUP, PUBLIC),
    Document("d:pay.md", "d", "Pay", "A sabbatical costs 9,000.", Audience.of("group:finance")),
)


@pytest.fixture(autouse=True)
def no_defaults() -> Iterator[None]:
    """LlamaIndex fills in OpenAI's models where none is given; none may be missing here."""
    yield
    assert Settings._llm is None
    assert Settings._embed_model is None


@pytest.fixture(autouse=True)
def event_loop() -> Iterator[None]:
    """What LlamaIndex awaits behind its plain methods: left to itself, it never closes one."""
    with closing(asyncio.new_event_loop()) as loop:
        asyncio.set_event_loop(loop)
        yield
        asyncio.set_event_loop(None)


class Overheard(LorebotLLM):
    """A real model; ``heard`` is all that it was told."""

    _told: list[str] = PrivateAttr()

    def __init__(self, model: LanguageModel, sampling: Sampling) -> None:
        super().__init__(model, sampling)
        self._told = []

    @property
    def heard(self) -> str:
        return "\n".join(self._told)

    def _pieces(
        self, messages: Sequence[Message], overrides: dict[str, Any], *cancellation: Any
    ) -> Iterator[str]:
        self._told += [message.content for message in messages]
        return super()._pieces(messages, overrides, *cancellation)


@pytest.fixture(scope="module")
def parrot(tiny_model: Path) -> Iterator[LlamaEngine]:
    with closing(load(tiny_model, slots=2)) as engine:
        yield engine


@pytest.fixture
def llm(parrot: LlamaEngine) -> Overheard:
    return Overheard(parrot, Sampling(max_tokens=400))


@pytest.fixture(scope="module")
def retriever(
    embedding: LlamaCppEmbedding, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AudienceRetriever]:
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    chunker = Chunker(embedding.count_tokens, embedding.max_tokens)
    with closing(SqliteStore(path, embedding.identity, embedding.dimension)) as store:
        apply(Plan("d", added=PAGES), store, chunker, embedding)
        yield AudienceRetriever(store, embedding, PUBLIC)


def saying(text: str) -> LorebotLLM:
    return LorebotLLM(ScriptedModel(text))


@pytest.mark.parametrize(
    "mode", [ResponseMode.COMPACT, ResponseMode.REFINE, ResponseMode.TREE_SUMMARIZE]
)
def test_query_engine_shows_the_model_what_the_reader_may_see(
    llm: Overheard, retriever: AudienceRetriever, mode: ResponseMode
) -> None:
    engine = RetrieverQueryEngine.from_args(retriever, llm=llm, response_mode=mode)
    response = engine.query(QUESTION)
    assert [source.node_id for source in response.source_nodes] == ["d:leave.md#0", "d:lunch.md#0"]
    assert str(response)
    assert QUESTION in llm.heard
    assert SABBATICAL in llm.heard
    assert "9,000" not in llm.heard


@pytest.fixture(scope="module")
def answering(
    tmp_path_factory: pytest.TempPathFactory, cache_dir: Path
) -> Iterator[tuple[Index, ScriptedModel]]:
    """An index of two public pages, and a model that answers from the first."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "leave.md").write_text(f"# Leave\n\n{SABBATICAL}\n")
    (folder / "lunch.md").write_text(f"# Lunch\n\n{SOUP}\n")
    settings = IndexSettings(
        data_dir=tmp_path_factory.mktemp("data"),
        cache_dir=cache_dir,
        sources=(FilesSource(name="docs", path=folder, audience=("public",)),),
    )
    with open_index(settings) as index:
        index.sync()
        yield index, ScriptedModel("Everybody may take six weeks off [1].")


@pytest.mark.parametrize("engine", [RetrieverQueryEngine, CitationQueryEngine])
def test_an_engine_of_llamaindex_gives_the_answer_that_the_pipeline_gives(
    answering: tuple[Index, ScriptedModel],
    engine: type[RetrieverQueryEngine] | type[CitationQueryEngine],
) -> None:
    """The same retriever, model and passages; what the pipeline adds is that it is judged."""
    index, model = answering
    asked = "Everybody may take how many weeks off?"
    ours = Pipeline(index, FixedModels(model)).answer(Question("q", asked, PUBLIC))
    assert ours.text == "Everybody may take six weeks off. [1]"
    retriever, llm = index.retriever(PUBLIC), LorebotLLM(model)
    if engine is CitationQueryEngine:
        theirs = CitationQueryEngine(retriever, llm=llm).query(asked)
    else:
        theirs = RetrieverQueryEngine.from_args(retriever, llm=llm).query(asked)
    assert str(theirs) == "Everybody may take six weeks off [1]."
    (citation,) = ours.citations
    first = theirs.source_nodes[0].node
    assert first.metadata["document_id"] == citation.passage.chunk.document_id
    assert citation.passage.chunk.text in first.get_content()


def test_query_engine_streams(llm: Overheard, retriever: AudienceRetriever) -> None:
    engine = RetrieverQueryEngine.from_args(
        retriever, llm=llm, streaming=True, text_qa_template=PromptTemplate("{query_str}")
    )
    response = engine.query(QUESTION)
    assert isinstance(response, StreamingResponse)
    pieces = list(response.response_gen)
    assert len(pieces) > 5
    assert "".join(pieces) == QUESTION


def test_query_engine_can_be_awaited_many_times_at_once(
    llm: Overheard, retriever: AudienceRetriever
) -> None:
    engine = RetrieverQueryEngine.from_args(
        retriever, llm=llm, text_qa_template=PromptTemplate("{query_str}")
    )
    questions = [QUESTION, "What is for lunch?", "Who may read this?"]

    async def ask() -> list[str]:
        return list(map(str, await asyncio.gather(*map(engine.aquery, questions))))

    assert asyncio.run(ask()) == questions


def test_context_chat_engine_answers_from_passages_and_remembers(
    llm: Overheard, retriever: AudienceRetriever
) -> None:
    memory = ChatMemoryBuffer.from_defaults(token_limit=1000)
    engine = ContextChatEngine.from_defaults(retriever, llm=llm, memory=memory)
    reply = engine.chat(QUESTION)
    assert [source.node_id for source in reply.source_nodes] == ["d:leave.md#0", "d:lunch.md#0"]
    assert str(reply) == QUESTION
    assert SABBATICAL in llm.heard
    assert [message.role for message in memory.get_all()] == [
        MessageRole.USER,
        MessageRole.ASSISTANT,
    ]


def test_chat_engine_condenses_the_follow_up_with_the_model(
    llm: Overheard, retriever: AudienceRetriever
) -> None:
    memory = ChatMemoryBuffer.from_defaults(
        [ChatMessage(role=MessageRole.USER, content="Tell me about lunch.")], token_limit=1000
    )
    engine = CondensePlusContextChatEngine.from_defaults(
        retriever,
        llm=llm,
        memory=memory,
        condense_prompt="What is a sabbatical? After {chat_history} came {question}",
    )
    reply = engine.chat("And when?")
    (retrieval,) = reply.sources
    assert "sabbatical" in retrieval.raw_input["message"]
    assert reply.source_nodes[0].node_id == "d:leave.md#0"


def test_chat_engine_streams_without_blocking_the_event_loop(
    llm: Overheard, retriever: AudienceRetriever
) -> None:
    engine = ContextChatEngine.from_defaults(
        retriever, llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=1000)
    )

    async def ask() -> str:
        reply = await engine.astream_chat(QUESTION)
        return "".join([piece async for piece in reply.async_response_gen()])

    assert asyncio.run(ask()) == QUESTION


def test_hypothesis_of_the_model_becomes_what_is_embedded(retriever: AudienceRetriever) -> None:
    """The words stay the question's, which match nothing here: the dense leg alone decides."""
    bundle = HyDEQueryTransform(llm=saying("Lunch is warm soup."), include_original=False).run(
        "Zzz"
    )
    assert bundle.embedding_strs == ["Lunch is warm soup."]
    assert retriever.retrieve(bundle)[0].node_id == "d:lunch.md#0"


def test_router_reads_the_choice_of_the_model(llm: Overheard, retriever: AudienceRetriever) -> None:
    engine = RetrieverQueryEngine.from_args(retriever, llm=llm)
    tools = [
        QueryEngineTool.from_defaults(engine, description=name)
        for name in ("everything about pay", "everything about leave")
    ]
    selector = LLMSingleSelector.from_defaults(
        saying('[{"choice": 2, "reason": "It is about leave."}]')
    )
    response = RouterQueryEngine.from_defaults(tools, llm=llm, selector=selector).query(QUESTION)
    assert response.metadata is not None
    assert response.metadata["selector_result"].ind == 1
    assert SABBATICAL in llm.heard


@pytest.mark.parametrize(("verdict", "passing"), [("YES", True), ("NO", False)])
def test_evaluators_read_the_verdict_of_the_model(
    llm: Overheard, retriever: AudienceRetriever, verdict: str, passing: bool
) -> None:
    response = RetrieverQueryEngine.from_args(retriever, llm=llm).query(QUESTION)
    assert isinstance(response, Response)
    judge = saying(verdict)
    faithful = FaithfulnessEvaluator(llm=judge).evaluate_response(response=response)
    relevant = RelevancyEvaluator(llm=judge).evaluate_response(QUESTION, response)
    assert (faithful.passing, relevant.passing) == (passing, passing)


def test_evaluator_shows_the_model_answer_and_passages(llm: Overheard) -> None:
    template = "{query_str} rests on {context_str}"
    asked = FaithfulnessEvaluator(llm=llm, eval_template=PromptTemplate(template))
    result = asked.evaluate(response="Six weeks is the most.", contexts=[SABBATICAL])
    assert result.feedback == f"Six weeks is the most. rests on {SABBATICAL}"


def test_retriever_evaluator_finds_what_is_relevant(retriever: AudienceRetriever) -> None:
    evaluator = RetrieverEvaluator.from_metric_names(["mrr", "hit_rate"], retriever=retriever)
    found = asyncio.run(evaluator.aevaluate(QUESTION, ["d:leave.md#0"]))
    hidden = asyncio.run(evaluator.aevaluate(QUESTION, ["d:pay.md#0"]))
    assert found.metric_vals_dict == {"mrr": 1.0, "hit_rate": 1.0}
    assert hidden.metric_vals_dict == {"mrr": 0.0, "hit_rate": 0.0}


def test_embedder_compares_answers(embedding: LlamaCppEmbedding) -> None:
    evaluator = SemanticSimilarityEvaluator(embed_model=embedding, similarity_threshold=0.6)
    near = evaluator.evaluate(response=SOUP, reference="Hot soup is served at twelve.")
    far = evaluator.evaluate(response=SOUP, reference=SABBATICAL)
    assert near.passing
    assert not far.passing


class Verdict(BaseModel):
    supported: bool
    passages: list[int]


def test_structured_prediction_is_of_the_wanted_form(llm: Overheard) -> None:
    prompt = PromptTemplate("Judge this: {claim}")
    verdict = llm.structured_predict(Verdict, prompt, claim=SOUP)
    assert isinstance(verdict, Verdict)
    assert isinstance(asyncio.run(llm.astructured_predict(Verdict, prompt, claim=SOUP)), Verdict)
    asked = [ChatMessage(role=MessageRole.USER, content=SOUP)]
    assert isinstance(llm.as_structured_llm(Verdict).chat(asked).raw, Verdict)
