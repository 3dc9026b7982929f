"""Loads a model as it would serve and writes two tokens: a child process that may die of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bot.domain.values import Message
from bot.serving.model import Sampling
from indexer.cores import usable_cores
from indexer.trials import carry_out

MODULE = "bot.serving.llama_cpp.trial_process"
_TEXT = "Soup is served at noon, and on Fridays there is fish. When is soup served, and what else?"
_TOKENS = 2  # the first follows a batch of some tens of tokens, the second a batch of one
_THREADS = 2  # AMX is granted to each thread apart; more would only disturb what serves meanwhile


def write(file: Path, *, repack: bool, adapter: str, threads: int, **options: int) -> None:
    """``adapter`` is the path of a LoRA adapter, or ""; the others are of ``LlamaEngine.load``.

    Raises ModelError.
    """
    from bot.serving.llama_cpp.engine import LlamaEngine

    engine = LlamaEngine.load(
        file,
        repack=repack,
        adapters={"tried": Path(adapter)} if adapter else {},
        threads=min(_THREADS, threads or usable_cores()),
        **options,
    )
    with closing(engine):
        model = engine.with_adapter("tried") if adapter else engine
        list(model.stream([Message("user", _TEXT)], Sampling(max_tokens=_TOKENS)))


if __name__ == "__main__":
    carry_out(write)
