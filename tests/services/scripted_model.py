"""A language model that says what a test tells it to: for what no real model can be made to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.domain.errors import Cancelled, ModelError
from bot.domain.values import Message, ModelIdentity
from bot.serving.model import Cancellation, Sampling

Judge = Callable[[Sequence[Message], str], float]
"""The probability of "Yes" to a probe, given the messages before it and the probe itself."""


def certain(prefix: Sequence[Message], probe: str) -> float:
    """Yes to everything, except that passages never contradict each other."""
    return 0.0 if "contradict" in probe else 1.0


class ScriptedModel:
    """Streams given texts in pieces of a few characters; remembers what it was shown.

    ``answer`` is what it says to a question with passages, or how it finds that in the messages;
    ``condensed`` and ``hypothesis`` are what it writes when asked for those instead.
    """

    def __init__(
        self,
        answer: str | ModelError | Callable[[Sequence[Message]], str],
        context_tokens: int = 4096,
        *,
        judge: Judge = certain,
        condensed: str = "",
        hypothesis: str = "",
    ) -> None:
        self._answer = answer
        self._condensed = condensed
        self._hypothesis = hypothesis
        self._judge = judge
        self._context_tokens = context_tokens
        self.shown: list[Sequence[Message]] = []
        self.probes: list[str] = []

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
        said = self._said(messages)
        if isinstance(said, ModelError):
            raise said
        for start in range(0, len(said), 5):
            if cancellation and cancellation.cancelled:
                raise Cancelled("The answer was stopped.")
            yield said[start : start + 5]

    def choose(
        self,
        prefix: Sequence[Message],
        continuations: Sequence[str],
        options: Sequence[str],
        cancellation: Cancellation | None = None,
    ) -> list[tuple[float, ...]]:
        self.probes += continuations
        judged = [self._judge(prefix, probe) for probe in continuations]
        return [(yes, 1 - yes) for yes in judged]

    def close(self) -> None:
        pass

    def _said(self, messages: Sequence[Message]) -> str | ModelError:
        task = messages[0].content
        if task.startswith("Rewrite the last question"):
            return self._condensed
        if task.startswith("Write the passage"):
            return self._hypothesis
        return self._answer(messages) if callable(self._answer) else self._answer
