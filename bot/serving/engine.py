"""llama.cpp in this process: a LanguageModel for many callers on one context.

Callers only tokenise and wait. One owner thread computes, see scheduler.py. Every slot has room
for a full context; what the slots leave free holds prefixes of earlier prompts.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.errors import ModelError, PromptTooLong
from bot.serving.llama import Context, Weights
from bot.serving.model import Cancellation, Message, ModelIdentity, Sampling
from bot.serving.requests import Choice, Generation
from bot.serving.scheduler import EngineStatistics, Scheduler
from bot.serving.sequences import SequencePool
from bot.serving.template import CHATML, ChatTemplate
from bot.serving.weights import identify

FORKS = 16  # continuations of one choice that can be computed in one batch
KEPT_PREFIXES = 16
WAITING_LIMIT = 32
_MOST_SLOTS = 64


class LlamaEngine:
    """Build it with ``load``; implements LanguageModel."""

    def __init__(
        self,
        identity: ModelIdentity,
        weights: Weights,
        context: Context,
        *,
        context_tokens: int,
        slots: int,
    ) -> None:
        """Takes over ``weights`` and ``context`` and frees them when closed."""
        self._identity = identity
        self._context_tokens = context_tokens
        self._weights = weights
        self._template = _chat_template(weights)
        pool = SequencePool(
            context,
            count=_sequences(slots),
            keep_at_most=KEPT_PREFIXES,
            shares_any_prefix=weights.shares_any_prefix,
        )
        self._scheduler = Scheduler(context, pool, slots=slots, waiting_limit=WAITING_LIMIT)
        owner = threading.Thread(
            target=_own, args=(self._scheduler, context, weights), name="llama", daemon=True
        )
        owner.start()
        # also closes when the engine is forgotten, and before the interpreter goes away
        self._finalizer = weakref.finalize(self, _stop, self._scheduler, owner)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        context_tokens: int = 4096,
        slots: int = 2,
        threads: int = 0,
        gpu_layers: int = 0,
    ) -> LlamaEngine:
        """Load a GGUF file.

        ``context_tokens`` is the room of one request, at most what the model was trained for;
        ``slots`` is how many requests are computed together; ``threads`` 0 means all cores.
        Raises ModelError when the file is missing, damaged, or does not fit into memory.
        """
        if not 1 <= slots <= _MOST_SLOTS:
            raise ModelError(f"slots is {slots}: choose 1 to {_MOST_SLOTS}.")
        identity = identify(path)
        weights = Weights(path, gpu_layers=gpu_layers)
        context_tokens = min(context_tokens, weights.trained_context)
        try:
            context = Context(
                weights,
                cells=context_tokens * slots,
                sequences=_sequences(slots),
                threads=threads or _cores(),
            )
        except ModelError:
            weights.close()
            raise
        try:
            return cls(identity, weights, context, context_tokens=context_tokens, slots=slots)
        except ModelError:
            context.close()
            weights.close()
            raise

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    @property
    def statistics(self) -> EngineStatistics:
        return self._scheduler.statistics

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The rendered prompt, up to where the assistant begins to speak."""
        tokens = [
            token
            for segment in self._template.segments(messages)
            for token in self._weights.tokenize(segment.text, control=segment.control)
        ]
        beginning = self._weights.beginning
        if beginning is not None and tokens[:1] != [beginning]:
            tokens.insert(0, beginning)
        return tokens

    def count(self, messages: Sequence[Message]) -> int:
        return len(self.tokens(messages))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        cancellation: Cancellation | None = None,
    ) -> Iterator[str]:
        """Nothing happens before the first piece is asked for; closing the iterator cancels."""
        prompt = self.tokens(messages)
        self._check_room(len(prompt), sampling.max_tokens)
        request = Generation(self._weights, prompt, sampling, cancellation or Cancellation())
        self._scheduler.submit(request)
        yield from request.pieces()

    def choose(
        self,
        prefix: Sequence[Message],
        continuations: Sequence[str],
        options: Sequence[str],
    ) -> list[tuple[float, ...]]:
        if not continuations:
            return []
        first_tokens = self._first_tokens(options)
        prompts = [self.tokens([*prefix, Message("user", text)]) for text in continuations]
        self._check_room(max(map(len, prompts)), 1)
        request = Choice(prompts, first_tokens, self._context_tokens)
        self._scheduler.submit(request)
        return request.result()

    def close(self) -> None:
        """Free the model; whoever waits gets a ModelError. May be called again."""
        self._finalizer()

    def _first_tokens(self, options: Sequence[str]) -> list[int]:
        first = [self._weights.tokenize(option, control=False)[:1] for option in options]
        if not all(first) or len({token for (token,) in first}) < len(options):
            raise ModelError(
                f"The model cannot tell the options {', '.join(map(repr, options))} apart by "
                "their first token: choose other words."
            )
        return [token for (token,) in first]

    def _check_room(self, prompt: int, answer: int) -> None:
        if prompt + answer > self._context_tokens:
            raise PromptTooLong(
                f"The prompt has {prompt} tokens and the answer may take {answer}, but the "
                f"model's context holds {self._context_tokens}: shorten the question or raise "
                "the context in the settings."
            )


def _chat_template(weights: Weights) -> ChatTemplate:
    source = weights.chat_template
    if source is None:
        marks = ("<|im_start|>", "<|im_end|>")
        if any(len(weights.tokenize(mark, control=True)) != 1 for mark in marks):
            raise ModelError(
                "The model has no chat template: choose an instruction-tuned model whose GGUF "
                "file holds one."
            )
        source = CHATML
    return ChatTemplate(weights.renderer(source))


def _own(scheduler: Scheduler, context: Context, weights: Weights) -> None:
    reason = scheduler.run()
    context.close()
    weights.close(reason)


def _stop(scheduler: Scheduler, owner: threading.Thread) -> None:
    scheduler.close()
    if owner is not threading.current_thread():  # where the garbage collector may find the engine
        owner.join()


def _sequences(slots: int) -> int:
    return slots + FORKS + KEPT_PREFIXES


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
