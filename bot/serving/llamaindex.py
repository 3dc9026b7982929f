"""Any LanguageModel as an LLM of LlamaIndex."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    TextBlock,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model
from pydantic import BaseModel, PrivateAttr

from bot.domain.errors import ModelError
from bot.domain.values import Message
from bot.serving.model import Cancellation, LanguageModel, Sampling


class LorebotLLM(CustomLLM):
    """Arguments of a call (``temperature=0.7``, ``max_tokens=50``, …) override ``sampling``.

    They are the fields of Sampling; an unknown one is a TypeError. A plain prompt becomes a
    user message, because the model only takes conversations. ``cancellation`` ends every call that
    is not awaited. The async methods do not block the event loop, and generation stops when their
    task is cancelled. Raises ModelError.
    """

    _model: LanguageModel = PrivateAttr()
    _sampling: Sampling = PrivateAttr()
    _cancellation: Cancellation | None = PrivateAttr()

    def __init__(
        self,
        model: LanguageModel,
        sampling: Sampling | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._sampling = sampling or Sampling()
        self._cancellation = cancellation

    @classmethod
    def class_name(cls) -> str:
        return "LorebotLLM"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            context_window=self._model.context_tokens,
            num_output=self._sampling.max_tokens,
            is_chat_model=True,
            model_name=self._model.identity.name,
        )

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="".join(self._pieces([Message("user", prompt)], kwargs)))

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        pieces = self._awaited([Message("user", prompt)], kwargs)
        return CompletionResponse(text="".join([piece async for piece in pieces]))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        pieces = self._pieces([Message("user", prompt)], kwargs)

        def responses() -> CompletionResponseGen:
            text = ""
            for piece in pieces:
                text += piece
                yield CompletionResponse(text=text, delta=piece)

        return responses()

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        pieces = self._awaited([Message("user", prompt)], kwargs)

        async def responses() -> CompletionResponseAsyncGen:
            text = ""
            async for piece in pieces:
                text += piece
                yield CompletionResponse(text=text, delta=piece)

        return responses()

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=_assistant("".join(self._pieces(_messages(messages), kwargs))))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        pieces = self._awaited(_messages(messages), kwargs)
        return ChatResponse(message=_assistant("".join([piece async for piece in pieces])))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        pieces = self._pieces(_messages(messages), kwargs)

        def responses() -> ChatResponseGen:
            text = ""
            for piece in pieces:
                text += piece
                yield ChatResponse(message=_assistant(text), delta=piece)

        return responses()

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        pieces = self._awaited(_messages(messages), kwargs)

        async def responses() -> ChatResponseAsyncGen:
            text = ""
            async for piece in pieces:
                text += piece
                yield ChatResponse(message=_assistant(text), delta=piece)

        return responses()

    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """The model's tokens are constrained to the JSON schema of ``output_cls``."""
        llm_kwargs = _with_schema(output_cls, llm_kwargs)
        found: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        return found

    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        llm_kwargs = _with_schema(output_cls, llm_kwargs)
        found: Model = await super().astructured_predict(
            output_cls, prompt, llm_kwargs, **prompt_args
        )
        return found

    def _pieces(
        self,
        messages: Sequence[Message],
        overrides: dict[str, Any],
        cancellation: Cancellation | None = None,
    ) -> Iterator[str]:
        sampling = dataclasses.replace(self._sampling, **overrides)
        yield from self._model.stream(messages, sampling, cancellation or self._cancellation)

    async def _awaited(
        self, messages: Sequence[Message], overrides: dict[str, Any]
    ) -> AsyncIterator[str]:
        cancellation = Cancellation()
        pieces = self._pieces(messages, overrides, cancellation)
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            cancellation.cancel()


def _with_schema(output_cls: type[BaseModel], llm_kwargs: dict[str, Any] | None) -> dict[str, Any]:
    return {"json_schema": json.dumps(output_cls.model_json_schema()), **(llm_kwargs or {})}


def _assistant(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)


def _messages(messages: Sequence[ChatMessage]) -> list[Message]:
    return [_message(message) for message in messages]


def _message(message: ChatMessage) -> Message:
    if not all(isinstance(block, TextBlock) for block in message.blocks):
        raise ModelError("The model reads text only: leave images and other attachments out.")
    content = message.content or ""
    match message.role:
        case MessageRole.SYSTEM | MessageRole.DEVELOPER:
            return Message("system", content)
        case MessageRole.USER:
            return Message("user", content)
        case MessageRole.ASSISTANT | MessageRole.CHATBOT | MessageRole.MODEL:
            return Message("assistant", content)
        case role:
            raise ModelError(
                f"The model takes no message of role {role.value!r}: use system, user or assistant."
            )
