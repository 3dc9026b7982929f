"""From the settings to an open language model: a file, a server, an LLM, a version."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bot.domain.errors import BotSettingsError
from bot.domain.settings import ModelTable
from bot.serving.model import LanguageModel
from bot.serving.serving_models import Load, open_version
from indexer.errors import IndexSettingsError
from indexer.named_class import make
from indexer.settings import NamedClass


def load_model(table: ModelTable, path: Path) -> LanguageModel:
    from bot.serving.llama_cpp.engine import LlamaEngine

    return LlamaEngine.load(
        path,
        context_tokens=table.context_tokens,
        slots=table.slots,
        threads=table.threads,
        gpu_layers=table.gpu_layers,
    )


def opener(table: ModelTable) -> Load:
    return partial(
        open_version,
        context_tokens=table.context_tokens,
        slots=table.slots,
        threads=table.threads,
        gpu_layers=table.gpu_layers,
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
