from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock

from bot.domain.errors import ModelError
from bot.domain.values import Message
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.llamaindex import LorebotLLM
from bot.serving.model import Cancellation, Sampling
from tests.services.scripted_model import ScriptedModel

QUESTION = "Where is the office, and when does the kitchen close?"


@pytest.fixture(scope="module")
def llm(tiny_model: Path) -> Iterator[LorebotLLM]:
    engine = LlamaEngine.load(tiny_model, slots=1, threads=1)
    yield LorebotLLM(engine, Sampling(max_tokens=100))
    engine.close()


def test_prompt_is_answered(llm: LorebotLLM) -> None:
    assert llm.complete(QUESTION).text == QUESTION


def test_arguments_of_a_call_win_over_the_settings(llm: LorebotLLM) -> None:
    assert llm.complete(QUESTION, max_tokens=2).text == "Where is"
    assert llm.complete(QUESTION, stop=(", and",)).text == "Where is the office"


def test_unknown_argument_is_an_error(llm: LorebotLLM) -> None:
    with pytest.raises(TypeError, match="max_tokns"):
        llm.complete(QUESTION, max_tokns=2)


def test_stream_grows_by_its_deltas(llm: LorebotLLM) -> None:
    responses = list(llm.stream_complete(QUESTION))
    assert len(responses) > 5
    assert "".join(response.delta or "" for response in responses) == QUESTION
    assert responses[-1].text == QUESTION


def test_chat_keeps_the_roles(llm: LorebotLLM) -> None:
    messages = [
        ChatMessage(role=MessageRole.SYSTEM, content="Be kind."),
        ChatMessage(role=MessageRole.USER, content="Hello, who are you?"),
        ChatMessage(role=MessageRole.ASSISTANT, content="Lorebot."),
        ChatMessage(role=MessageRole.USER, content=QUESTION),
    ]
    assert llm.chat(messages).message.content == QUESTION
    assert llm.chat(messages).message.role == MessageRole.ASSISTANT
    assert [response.message.content for response in llm.stream_chat(messages)][-1] == QUESTION


def test_role_the_model_does_not_know_is_refused(llm: LorebotLLM) -> None:
    with pytest.raises(ModelError, match="'tool'"):
        llm.chat([ChatMessage(role=MessageRole.TOOL, content="42")])


def test_waiting_for_an_answer_does_not_block_the_event_loop(
    llm: LorebotLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_went_on = threading.Event()
    stream = LlamaEngine.stream

    def stream_later(*arguments: Any) -> Iterator[str]:
        assert loop_went_on.wait(timeout=10)
        return stream(*arguments)

    async def ask() -> str:
        answer = asyncio.ensure_future(llm.acomplete(QUESTION))
        await asyncio.sleep(0)
        loop_went_on.set()
        response = await answer
        return str(response.text)

    monkeypatch.setattr(LlamaEngine, "stream", stream_later)
    assert asyncio.run(ask()) == QUESTION


def test_awaited_stream_grows_by_its_deltas(llm: LorebotLLM) -> None:
    async def ask() -> tuple[list[str], list[str]]:
        asked = [ChatMessage(role=MessageRole.USER, content=QUESTION)]
        chat = [str(one.delta) async for one in await llm.astream_chat(asked)]
        completion = [str(one.delta) async for one in await llm.astream_complete(QUESTION)]
        return chat, completion

    for pieces in asyncio.run(ask()):
        assert len(pieces) > 5
        assert "".join(pieces) == QUESTION


def test_cancelled_task_stops_the_model() -> None:
    given: list[Cancellation | None] = []

    class Endless(ScriptedModel):
        def stream(
            self,
            messages: Sequence[Message],
            sampling: Sampling = Sampling(),  # noqa: B008 - frozen
            cancellation: Cancellation | None = None,
        ) -> Iterator[str]:
            given.append(cancellation)
            return itertools.repeat("and so on ")

    async def give_up() -> None:
        await asyncio.wait_for(LorebotLLM(Endless("")).acomplete(QUESTION), timeout=0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    (cancellation,) = given
    assert cancellation is not None
    assert cancellation.cancelled


def test_image_is_refused(llm: LorebotLLM) -> None:
    shown = ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="?"), ImageBlock(image=b"")])
    with pytest.raises(ModelError, match="images"):
        llm.chat([shown])


def test_metadata_describes_the_model(llm: LorebotLLM) -> None:
    assert llm.metadata.context_window == 2048
    assert llm.metadata.num_output == 100
    assert llm.metadata.is_chat_model
