"""From the settings to an open language model: a file, a server, an LLM, a version.

What runs in this process is tried in a child process first, see indexer/trials.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.errors import BotSettingsError, ModelCrashes
from bot.domain.settings import ModelTable
from bot.models.versions import ModelVersion
from bot.serving.llama_cpp.trial_process import MODULE
from bot.serving.model import LanguageModel
from bot.serving.serving_models import Load, open_version
from indexer.errors import IndexSettingsError
from indexer.named_class import make
from indexer.settings import NamedClass
from indexer.trials import Trials, Verdict

if TYPE_CHECKING:
    from bot.serving.llama_cpp.engine import LlamaEngine


def load_model(table: ModelTable, path: Path, trials: Trials) -> LanguageModel:
    """Raises ModelError; ModelCrashes where computing with it would end this process."""
    return _load(table, path, trials, None)


@contextmanager
def open_model(
    table: ModelTable, path: Path, trials: Trials, adapter: Path | None = None, *, name: str = ""
) -> Iterator[LanguageModel]:
    """``load_model`` while the block runs, answering through a LoRA adapter of that ``name``."""
    engine = _load(table, path, trials, adapter, name)
    with closing(engine):
        yield engine.with_adapter(name) if adapter else engine


def opener(table: ModelTable, trials: Trials) -> Load:
    opened = partial(
        open_version,
        context_tokens=table.context_tokens,
        slots=table.slots,
        threads=table.threads,
        gpu_layers=table.gpu_layers,
    )

    @contextmanager
    def load(version: ModelVersion) -> Iterator[LanguageModel]:
        repack = may_repack(table, version.weights, trials, version.adapter)
        with opened(version, repack=repack) as model:
            yield model

    return load


def may_repack(table: ModelTable, path: Path, trials: Trials, adapter: Path | None = None) -> bool:
    """Whether to load a file, with an adapter beside it, the usual way. Raises ModelCrashes."""
    return trials.may_repack(
        MODULE, path, _options(table, adapter), ModelCrashes, others=_files(adapter)
    )


def try_model(
    table: ModelTable,
    path: Path,
    trials: Trials,
    adapter: Path | None = None,
    *,
    again: bool = False,
) -> Verdict:
    """What ``may_repack`` goes by, for people; ``again`` disregards what is remembered."""
    return trials.verdict(
        MODULE, path, _options(table, adapter), others=_files(adapter), again=again
    )


def connect_model(table: ModelTable) -> LanguageModel:
    from bot.serving.openai.remote import RemoteModel

    return RemoteModel.connect(
        table.url,
        model=table.name,
        api_key=table.api_key.get_secret_value(),
        context_tokens=table.context_tokens,
    )


def make_model(table: NamedClass, context_tokens: int) -> LanguageModel:
    """An LLM of LlamaIndex. Raises BotSettingsError where it cannot be imported or made."""
    from llama_index.core.llms import LLM

    from bot.serving.foreign import ForeignModel

    try:
        return ForeignModel(make(table, LLM, "[model.llm]"), context_tokens)
    except IndexSettingsError as error:
        raise BotSettingsError(str(error)) from error


def _load(
    table: ModelTable, path: Path, trials: Trials, adapter: Path | None, name: str = ""
) -> LlamaEngine:
    from bot.serving.llama_cpp.engine import LlamaEngine

    return LlamaEngine.load(
        path,
        context_tokens=table.context_tokens,
        slots=table.slots,
        threads=table.threads,
        gpu_layers=table.gpu_layers,
        repack=may_repack(table, path, trials, adapter),
        adapters={name: adapter} if adapter else {},
    )


def _options(table: ModelTable, adapter: Path | None) -> dict[str, object]:
    """Of LlamaEngine.load, as the child takes them."""
    options = table.model_dump(include={"context_tokens", "slots", "threads", "gpu_layers"})
    return options | {"adapter": str(adapter.resolve()) if adapter else ""}


def _files(adapter: Path | None) -> tuple[Path, ...]:
    return (adapter,) if adapter else ()
