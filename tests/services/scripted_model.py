"""A language model that says what a test tells it to: for what no real model can be made to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.errors import Cancelled, ModelError
from bot.serving.model import Cancellation, Message, ModelIdentity, Sampling


class ScriptedModel:
    """Streams one given answer in pieces of a few characters; remembers what it was shown."""

    def __init__(self, answer: str | ModelError, context_tokens: int = 4096) -> None:
        self._answer = answer
        self._context_tokens = context_tokens
        self.shown: list[Sequence[Message]] = []

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("scripted", "0" * 64)

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        cancellation: Cancellation | None = None,
    ) -> Iterator[str]:
        self.shown.append(messages)
        if isinstance(self._answer, ModelError):
            raise self._answer
        for start in range(0, len(self._answer), 5):
            if cancellation and cancellation.cancelled:
                raise Cancelled("The answer was stopped.")
            yield self._answer[start : start + 5]

    def choose(
        self, prefix: Sequence[Message], continuations: Sequence[str], options: Sequence[str]
    ) -> list[tuple[float, ...]]:
        return [tuple(1 / len(options) for _ in options) for _ in continuations]

    def close(self) -> None:
        pass
