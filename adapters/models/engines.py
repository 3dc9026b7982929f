"""GGUF files opened to be measured, exactly as they would serve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.domain.settings import ModelTable
from bot.serving.model import LanguageModel
from bot.serving.opening import may_repack
from indexer.trials import Trials

_CANDIDATE = "candidate"


@contextmanager
def opened(
    path: Path, table: ModelTable, trials: Trials, adapter: Path | None = None
) -> Iterator[LanguageModel]:
    """The model of a file while the block runs, through an adapter beside it. Raises ModelError."""
    from bot.serving.llama_cpp.engine import LlamaEngine

    engine = LlamaEngine.load(
        path,
        repack=may_repack(table, path, trials, adapter),
        context_tokens=table.context_tokens,
        slots=table.slots,
        threads=table.threads,
        gpu_layers=table.gpu_layers,
        adapters={_CANDIDATE: adapter} if adapter else {},
    )
    with closing(engine):
        yield engine.with_adapter(_CANDIDATE) if adapter else engine


@contextmanager
def opened_if_named(
    path: Path | None, table: ModelTable, trials: Trials
) -> Iterator[LanguageModel | None]:
    """The same, None without a file."""
    if path is None:
        yield None
        return
    with opened(path, table, trials) as model:
        yield model
