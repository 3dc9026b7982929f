"""Small engines for tests, and short ways of asking them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.domain.values import Message
from bot.models.gguf_file import identify
from bot.serving.llama_cpp.context import Batch, Context, Weights
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import LanguageModel, Sampling
from tests.services.tiny_model import distinct_text

# so small a model is fastest on one core, above all while other tests keep the cores busy
load = partial(LlamaEngine.load, threads=1)
words = distinct_text

SYSTEM = Message("system", "You answer from the handbook. " + words(60))


AContext = TypeVar("AContext", bound=Context)


def user(text: str) -> Message:
    return Message("user", text)


def text(model: LanguageModel, *messages: Message, **sampling: object) -> str:
    return "".join(model.stream(messages, Sampling(**sampling)))  # type: ignore[arg-type]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Recording(Context):
    """Remembers the batches that were computed: for each token its sequence."""

    def __init__(self, weights: Weights, *, cells: int, sequences: int, threads: int) -> None:
        super().__init__(weights, cells=cells, sequences=sequences, threads=threads)
        self.batches: list[list[int]] = []

    def decode(self, batch: Batch) -> bool:
        computed = super().decode(batch)
        if computed:
            self.batches.append([sequence for _, _, sequence, _ in batch.entries])
        return computed


class Holding(Recording):
    """Computes nothing until ``let_go``, so that requests gather."""

    held = True

    def decode(self, batch: Batch) -> bool:
        until(lambda: not self.held)
        return super().decode(batch)


def with_context(
    path: Path, kind: type[AContext], *, slots: int = 2, cells: int = 4096
) -> tuple[LlamaEngine, AContext]:
    weights = Weights(path, gpu_layers=0)
    context = kind(weights, cells=cells, sequences=100, threads=1)
    room = min(2048, cells)
    engine = LlamaEngine(identify(path), weights, context, context_tokens=room, slots=slots)
    return engine, context
