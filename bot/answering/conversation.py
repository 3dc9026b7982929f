"""One question and its passages before a model: all that is asked shares one beginning.

The reflections of Self-RAG (Asai et al. 2023) for a model that was never trained to write them:
each is the probability of "Yes" as its next word. The passages are read once; every probe, and
the answer itself, is a fork behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.domain import prompts
from bot.domain.values import Message, Question
from bot.serving.model import Cancellation, LanguageModel, Sampling
from indexer.documents import Passage

_PROBE_TOKENS = 64


def wants_documents(
    model: LanguageModel, question: Question, cancellation: Cancellation | None = None
) -> float:
    """How probably the documents must be read to reply, in 0..1. Raises ModelError."""
    return _yes(model, prompts.opening(question), [prompts.ROUTE], cancellation)[0]


class Conversation:
    """Passages are numbered from 1, as they are cited. All methods raise ModelError."""

    def __init__(
        self,
        model: LanguageModel,
        question: Question,
        passages: Sequence[Passage],
        *,
        answer_tokens: int,
        cancellation: Cancellation | None = None,
    ) -> None:
        """Takes as many of the passages, the best first, as fit into the model's context."""
        self._model = model
        self._question = question
        self._answer_tokens = answer_tokens
        self._cancellation = cancellation
        self.passages = self._fitting(list(passages))
        self._prompt: list[Message] = []

    def relevance(self) -> list[float]:
        """Of each passage: how probably it helps to answer, in 0..1."""
        numbers = range(1, len(self.passages) + 1)
        return self._probe([prompts.relevant(number) for number in numbers])

    def conflicts(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        """Of each pair of passages: how probably they contradict each other, in 0..1."""
        return self._probe([prompts.conflicting(*pair) for pair in pairs])

    def answer(
        self,
        relevant: Sequence[int],
        conflicts: Sequence[tuple[int, int]] = (),
        language: str = "",
    ) -> Iterator[str]:
        """The answer from the relevant passages, piece by piece.

        Whatever persona it is written in, it is judged without: who decides never reads that.
        """

        def prompt(question: Question) -> list[Message]:
            return prompts.answer_messages(
                question,
                self.passages,
                relevant=relevant,
                conflicts=conflicts,
                language=language,
            )

        self._prompt = prompt(replace(self._question, persona=""))
        sampling = Sampling(max_tokens=self._answer_tokens)
        return self._model.stream(prompt(self._question), sampling, self._cancellation)

    def support(self, so_far: str, numbers: Sequence[int]) -> float:
        """How probably passages ``numbers`` state all of the last sentence of ``so_far``.

        ``so_far`` is the beginning of the answer as it was streamed: then, unless there is a
        persona, only the probe itself is computed, also while the answer goes on.
        """
        return self._reflect(so_far, prompts.supported(numbers))

    def usefulness(self, answer: str) -> float:
        """How probably the answer says what was asked for, in 0..1."""
        return self._reflect(answer, prompts.USEFUL)

    def _probe(self, probes: Sequence[str]) -> list[float]:
        prefix = prompts.with_passages(self._question, self.passages)
        return _yes(self._model, prefix, probes, self._cancellation)

    def _reflect(self, so_far: str, probe: str) -> float:
        prefix = [*self._prompt, Message("assistant", so_far)]
        return _yes(self._model, prefix, [probe], self._cancellation)[0]

    def _fitting(self, passages: list[Passage]) -> list[Passage]:
        room = self._model.context_tokens - self._answer_tokens - _PROBE_TOKENS
        while len(passages) > 1 and self._length(passages) > room:
            passages.pop()
        while self._length(passages) > room and len(passages[0].chunk.text) > 1:
            passages[0] = _halved(passages[0])
        return passages

    def _length(self, passages: Sequence[Passage]) -> int:
        return self._model.count(prompts.answer_messages(self._question, passages))


def _halved(passage: Passage) -> Passage:
    text = passage.chunk.text
    return replace(passage, chunk=replace(passage.chunk, text=text[: len(text) // 2]))


def _yes(
    model: LanguageModel,
    prefix: Sequence[Message],
    probes: Sequence[str],
    cancellation: Cancellation | None,
) -> list[float]:
    options = (prompts.YES, prompts.NO)
    return [yes for yes, _ in model.choose(prefix, probes, options, cancellation)]
