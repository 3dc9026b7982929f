"""From the settings to an open language model: a file, a server, or a version of the registry."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bot.domain.settings import ModelTable
from bot.serving.model import LanguageModel
from bot.serving.serving_models import Load, open_version


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
