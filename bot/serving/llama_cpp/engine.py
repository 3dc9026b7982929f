"""llama.cpp in this process: a LanguageModel for many callers on one context.

Callers only tokenise and wait. One owner thread computes, see scheduler.py. Every slot has room
for a full context; what the slots leave free holds choices and prefixes of earlier prompts.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.domain.errors import ModelError, PromptTooLong
from bot.domain.values import Message, ModelIdentity, ModelLabel
from bot.models.gguf_file import identify
from bot.serving.llama_cpp.context import Context, Weights
from bot.serving.llama_cpp.libllama import return_memory
from bot.serving.llama_cpp.requests import Choice, Generation
from bot.serving.llama_cpp.scheduler import EngineStatistics, Scheduler
from bot.serving.llama_cpp.sequences import Places, SequencePool
from bot.serving.llama_cpp.template import CHATML, ChatTemplate, Segment, prompt_tokens
from bot.serving.llama_cpp.token_cache import GeneratedTokenCache, Utterance
from bot.serving.model import Cancellation, LanguageModel, Sampling
from indexer.cores import usable_cores

FORKS = 16  # continuations of one choice that can be computed in one batch
KEPT_PREFIXES = 16
WAITING_LIMIT = 32
FEW_SLOTS = 2  # up to so many, processors are faster without flash attention
_MOST_SLOTS = 64
_NO_ADAPTERS: Mapping[str, Any] = MappingProxyType({})


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
        adapters: Mapping[str, ModelIdentity] = _NO_ADAPTERS,
    ) -> None:
        """Takes over ``weights`` and ``context`` and frees them when closed."""
        self._identity = identity
        self._adapter = ""
        self._adapters = adapters
        self._owner: LlamaEngine | None = None  # of a view: it stays alive as long
        self._context_tokens = context_tokens
        self._cells = context_tokens * slots
        self._weights = weights
        self._template = _chat_template(weights)
        self._spoken = GeneratedTokenCache(weights)
        pool = SequencePool(context, _places(slots), shares_any_prefix=weights.shares_any_prefix)
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
        repack: bool = True,
        adapters: Mapping[str, Path] = _NO_ADAPTERS,
    ) -> LlamaEngine:
        """Load a GGUF file, and LoRA adapters of that model, by name, from GGUF files beside it.

        ``context_tokens`` is the room of one request, at most what the model was trained for;
        ``slots`` is how many answers are written together. ``threads`` 0 means all cores, the
        fastest where nothing else computes; beside other work one fewer is faster. ``repack`` as
        of Weights; indexer/trials.py finds out where it must be False.
        Raises ModelError when a file is missing, damaged, or does not fit into memory.
        """
        if not 1 <= slots <= _MOST_SLOTS:
            raise ModelError(f"slots is {slots}: choose 1 to {_MOST_SLOTS}.")
        identity = identify(path)
        identities = {name: identify(file) for name, file in adapters.items()}
        with ExitStack() as undo:
            weights = Weights(path, gpu_layers=gpu_layers, repack=repack)
            undo.callback(weights.close)
            for name, file in adapters.items():
                weights.add_adapter(name, file)
            context_tokens = min(context_tokens, weights.trained_context)
            context = Context(
                weights,
                cells=context_tokens * slots,
                sequences=_places(slots).total,
                threads=threads or usable_cores(),
                # on processors it is slow for the few rows of a probe, but skips other answers
                flash_attention=gpu_layers != 0 or slots > FEW_SLOTS,
            )
            undo.callback(context.close)
            engine = cls(
                identity,
                weights,
                context,
                context_tokens=context_tokens,
                slots=slots,
                adapters=identities,
            )
            undo.pop_all()
        return engine

    def with_adapter(self, name: str) -> LanguageModel:
        """The same engine answering through an adapter; only the engine itself can be closed."""
        if name not in self._adapters:
            raise ModelError(
                f"The model was loaded without an adapter {name!r}: load it, or use one of "
                f"{', '.join(sorted(self._adapters)) or 'none'}."
            )
        view = copy.copy(self)
        label = ModelLabel.of(name, self._adapters[name].sha256)
        view._identity = replace(self._identity, adapter=str(label))
        view._adapter = name
        view._owner = self
        return view

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    @property
    def statistics(self) -> EngineStatistics:
        return replace(self._scheduler.statistics, cells=self._cells)

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The rendered prompt, up to where the assistant begins to speak."""
        return self._prompts([messages])[0]

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
        request = Generation(
            self._weights,
            prompt,
            sampling,
            cancellation or Cancellation(),
            self._adapter,
            partial(self._spoken.add, Utterance()),
        )
        self._scheduler.submit(request)
        yield from request.pieces()

    def choose(
        self,
        prefix: Sequence[Message],
        continuations: Sequence[str],
        options: Sequence[str],
        cancellation: Cancellation | None = None,
    ) -> list[tuple[float, ...]]:
        """May be asked in the middle of ``stream``, whose answer goes on being written."""
        if not continuations:
            return []
        first_tokens = self._first_tokens(options)
        prompts = self._prompts([[*prefix, Message("user", text)] for text in continuations])
        self._check_room(max(map(len, prompts)), 1)
        request = Choice(
            prompts,
            first_tokens,
            self._context_tokens,
            cancellation or Cancellation(),
            self._adapter,
        )
        self._scheduler.submit(request)
        return request.result()

    def close(self) -> None:
        """Free the model; whoever waits gets a ModelError. May be called again."""
        if self._owner is None:
            self._finalizer()

    def _prompts(self, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
        tokenize = cache(self._tokenize)  # what the conversations share is tokenised once
        return [
            prompt_tokens(self._template, messages, tokenize, self._weights.beginning)
            for messages in conversations
        ]

    def _tokenize(self, segment: Segment) -> list[int]:
        if segment.by_assistant:
            return self._spoken.tokenize(segment.text)
        return self._weights.tokenize(segment.text, control=segment.control)

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
    return_memory()


def _stop(scheduler: Scheduler, owner: threading.Thread) -> None:
    scheduler.close()
    if owner is not threading.current_thread():  # where the garbage collector may find the engine
        owner.join()


def _places(slots: int) -> Places:
    """For the generations and the choices being computed, see Scheduler."""
    return Places(opened=2 * slots, forked=FORKS, kept=KEPT_PREFIXES)
