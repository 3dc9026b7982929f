"""Any LanguageModel as an LLM of LlamaIndex."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from pydantic import PrivateAttr

from bot.errors import ModelError
from bot.serving.model import LanguageModel, Message, Sampling


class LorebotLLM(CustomLLM):
    """Arguments of a call (``temperature=0.7``, ``max_tokens=50``, …) override ``sampling``.

    They are the fields of Sampling; an unknown one is a TypeError. A plain prompt becomes a
    user turn, because the model only knows conversations.
    """

    _model: LanguageModel = PrivateAttr()
    _sampling: Sampling = PrivateAttr()

    def __init__(self, model: LanguageModel, sampling: Sampling | None = None) -> None:
        super().__init__()
        self._model = model
        self._sampling = sampling or Sampling()

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
        return await asyncio.to_thread(self.complete, prompt, formatted=formatted, **kwargs)

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

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=_spoken("".join(self._pieces(_turns(messages), kwargs))))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await asyncio.to_thread(self.chat, messages, **kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        pieces = self._pieces(_turns(messages), kwargs)

        def responses() -> ChatResponseGen:
            text = ""
            for piece in pieces:
                text += piece
                yield ChatResponse(message=_spoken(text), delta=piece)

        return responses()

    def _pieces(self, messages: Sequence[Message], overrides: dict[str, Any]) -> Iterator[str]:
        return self._model.stream(messages, dataclasses.replace(self._sampling, **overrides))


def _spoken(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)


def _turns(messages: Sequence[ChatMessage]) -> list[Message]:
    return [_turn(message) for message in messages]


def _turn(message: ChatMessage) -> Message:
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
