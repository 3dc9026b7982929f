"""What the scheduler works on: a generation, or a choice between words.

A request is planned into a batch, and moves on once the batch is computed. Both happen on the
owner thread; callers wait in ``pieces`` or ``result``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

from bot.domain.errors import ModelError
from bot.serving.llama_cpp.context import Batch, Context, Weights
from bot.serving.llama_cpp.libllama import UNUSABLE
from bot.serving.llama_cpp.sampler import Grammar, Sampler
from bot.serving.llama_cpp.sequences import CachedTokens, SequencePool, common_prefix_length
from bot.serving.model import Cancellation, Sampling
from bot.serving.text import TextPieces

FORKED_TOKENS = 512  # what llama.cpp computes at a time; more in one batch gains nothing


class Request(ABC):
    """``prompt`` is what is computed first, under the sequence ``cached``."""

    def __init__(self, prompt: list[int], cancellation: Cancellation, adapter: str) -> None:
        self.prompt = prompt
        self.adapter = adapter
        self.cached: CachedTokens | None = None  # opened when the first piece is planned
        self.due = 0  # set by the scheduler: whose prompt comes first
        self.produced_tokens = 0
        self._cancellation = cancellation
        self._piece: list[int] = []
        self._row = -1

    @property
    def cancelled(self) -> bool:
        return self._cancellation.cancelled

    @property
    def urgent(self) -> bool:
        """Only one token is missing until a caller sees a result."""
        return False

    def plan(self, batch: Batch, pool: SequencePool, room: int) -> bool:
        """Add the next tokens, ``room`` at most; false when there is nothing to add yet."""
        cached = self._opened(pool)
        start = len(cached.tokens)
        self._piece = self.prompt[start : start + room]
        complete = start + len(self._piece) == len(self.prompt)
        self._row = batch.add(cached.sequence, start, self._piece, output=complete)
        return bool(self._piece)

    def retract(self, pool: SequencePool) -> None:
        """Undo ``plan``: the batch was not computed."""
        self._piece = []

    def release(self, pool: SequencePool) -> None:
        """Give up all cells, for now or for good; what was computed is left to later prompts."""
        if self.cached is not None:
            pool.keep(self.cached)
        self.cached = None

    @abstractmethod
    def advance(self, context: Context, pool: SequencePool) -> bool:
        """Take up what the batch computed; true when finished. A ModelError ends the request."""

    @abstractmethod
    def succeed(self) -> None:
        """Tell the caller that all is done, after ``release``."""

    @abstractmethod
    def fail(self, error: ModelError) -> None:
        """Tell the caller; the request is over."""

    def stop(self) -> None:
        """Tell the caller that its cancellation was noticed."""
        self.fail(self._cancellation.reason)

    def _opened(self, pool: SequencePool) -> CachedTokens:
        if self.cached is None:
            self.cached = pool.open(self.prompt, self.adapter)
        return self.cached

    def _take_piece(self) -> bool:
        """The planned piece is now in the cache; true when it completed the prompt."""
        assert self.cached is not None  # noqa: S101 - plan opened it
        self.cached.tokens += self._piece
        return len(self.cached.tokens) == len(self.prompt)


class Generation(Request):
    """An answer; ``prompt`` grows by every token produced.

    ``remember`` is told each of them with its bytes.
    """

    def __init__(
        self,
        weights: Weights,
        prompt: list[int],
        sampling: Sampling,
        cancellation: Cancellation,
        adapter: str,
        remember: Callable[[int, bytes], None],
    ) -> None:
        super().__init__(prompt, cancellation, adapter)
        self._weights = weights
        self._sampling = sampling
        self._grammar = self._grammar_of(sampling)
        self._remember = remember
        self._text = TextPieces(sampling.stop)
        self._sampler: Sampler | None = None
        self._replies: SimpleQueue[str | ModelError | None] = SimpleQueue()
        self._abandoned = False

    def pieces(self) -> Iterator[str]:
        """For the caller's thread: the answer as it comes. Raises ModelError."""
        try:
            while (reply := self._replies.get()) is not None:
                self._cancellation.check()
                if isinstance(reply, ModelError):
                    raise reply
                yield reply
        finally:
            self._abandoned = True

    @property
    def cancelled(self) -> bool:
        return self._abandoned or super().cancelled

    @property
    def urgent(self) -> bool:
        return self.cached is not None and len(self.prompt) - len(self.cached.tokens) == 1

    def advance(self, context: Context, pool: SequencePool) -> bool:
        if not self._take_piece():
            return False
        if self._sampler is None:
            self._sampler = context.sampler(self._sampling, self._grammar)
        token = self._sampler.sample(self._row)
        if self._weights.ends_turn(token):
            return True
        self.prompt.append(token)
        self.produced_tokens += 1
        data = self._weights.piece(token)
        self._remember(token, data)
        self._reply(self._text.feed(data))
        return self._text.stopped or self.produced_tokens >= self._sampling.max_tokens

    def succeed(self) -> None:
        self._reply(self._text.finish())
        self._replies.put(None)

    def fail(self, error: ModelError) -> None:
        self._replies.put(error)

    def _grammar_of(self, sampling: Sampling) -> Grammar | None:
        return self._weights.grammar(sampling.json_schema) if sampling.json_schema else None

    def _reply(self, text: str) -> None:
        if text:
            self._replies.put(text)


@dataclass(slots=True)
class _Fork:
    index: int
    tail: list[int]
    cached: CachedTokens
    row: int


class Choice(Request):
    """Probabilities of ``options`` (tokens) after each of several prompts.

    The beginning that the prompts share is computed once; their ends are computed on forks of
    it, in as few batches as ``context_tokens``, sequences and llama.cpp's batch size allow. A
    single prompt needs no fork.
    """

    def __init__(
        self,
        prompts: Sequence[list[int]],
        options: Sequence[int],
        context_tokens: int,
        cancellation: Cancellation,
        adapter: str,
    ) -> None:
        self._single = len(prompts) == 1
        shared = min(common_prefix_length(prompts), min(map(len, prompts)) - 1)
        super().__init__(prompts[0] if self._single else prompts[0][:shared], cancellation, adapter)
        self._forked_tokens = min(FORKED_TOKENS, context_tokens - shared)
        self._options = list(options)
        self._tails = deque(
            (index, prompt[shared:]) for index, prompt in enumerate(prompts) if not self._single
        )
        self._forks: list[_Fork] = []
        self._probabilities: list[tuple[float, ...]] = [()] * len(prompts)
        self._result: Future[list[tuple[float, ...]]] = Future()

    def result(self) -> list[tuple[float, ...]]:
        """For the caller's thread: one tuple a prompt. Raises ModelError."""
        return self._result.result()

    def plan(self, batch: Batch, pool: SequencePool, room: int) -> bool:
        cached = self._opened(pool)
        if self._single or len(cached.tokens) < len(self.prompt):
            return super().plan(batch, pool, room)
        self._piece = []
        planned = 0
        while self._tails and (
            not planned or planned + len(self._tails[0][1]) <= self._forked_tokens
        ):
            fork = pool.fork(cached)
            if fork is None:
                break
            index, tail = self._tails.popleft()
            row = batch.add(fork.sequence, len(self.prompt), tail, output=True)
            self._forks.append(_Fork(index, tail, fork, row))
            planned += len(tail)
        return planned > 0

    def retract(self, pool: SequencePool) -> None:
        super().retract(pool)
        for fork in reversed(self._forks):
            pool.drop(fork.cached)
            self._tails.appendleft((fork.index, fork.tail))
        self._forks.clear()

    def advance(self, context: Context, pool: SequencePool) -> bool:
        complete = self._take_piece()
        if self._single:
            if complete:
                self._probabilities[0] = _softmax(context.logits(self._row, self._options))
            return complete
        for fork in self._forks:
            scores = context.logits(fork.row, self._options)
            self._probabilities[fork.index] = _softmax(scores)
        for fork in self._forks:
            pool.drop(fork.cached)
        self._forks.clear()
        return not self._tails

    def release(self, pool: SequencePool) -> None:
        self.retract(pool)
        super().release(pool)

    def succeed(self) -> None:
        self._result.set_result(self._probabilities)

    def fail(self, error: ModelError) -> None:
        self._result.set_exception(error)

    def _opened(self, pool: SequencePool) -> CachedTokens:
        if self.cached is None:
            # nothing is sampled from a shared beginning, so all of it may come from the cache
            wanted = self.prompt if self._single else [*self.prompt, -1]
            self.cached = pool.open(wanted, self.adapter)
        return self.cached


def _softmax(scores: Sequence[float]) -> tuple[float, ...]:
    best = max(scores)
    if not math.isfinite(best):
        raise ModelError(UNUSABLE)
    weights = [math.exp(score - best) for score in scores]
    return tuple(weight / sum(weights) for weight in weights)
