"""A registry of real Parrots, and ServingModels over it that keep what they load and free."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.domain.errors import ModelError
from bot.models.registry import Registry
from bot.models.versions import ModelVersion
from bot.records.database import Database
from bot.serving.model import LanguageModel
from bot.serving.serving_models import ServingModels, open_version
from tests.services.model_files import another_parrot

ANA = "ana"
NEVER = 1e9


class Parrots:
    """Loads real Parrots, and keeps which were loaded and freed."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.freed: list[str] = []
        self.refused: set[str] = set()
        self.may_load = threading.Event()
        self.may_load.set()
        self.loading = threading.Event()

    @contextmanager
    def load(self, version: ModelVersion) -> Iterator[LanguageModel]:
        self.opened.append(version.name)
        self.loading.set()
        assert self.may_load.wait(10)
        if version.name in self.refused:
            raise ModelError("It does not fit into memory.")
        with open_version(version, context_tokens=1024, slots=2, threads=1) as model:
            try:
                yield model
            finally:
                self.freed.append(version.name)


@pytest.fixture
def parrots() -> Parrots:
    return Parrots()


@pytest.fixture
def registry(tmp_path: Path, tiny_model: Path) -> Iterator[Registry]:
    """With the Parrots a, b and c, of which a serves."""
    with closing(Database(f"sqlite:///{tmp_path / 'records.sqlite'}")) as database:
        registry = Registry(database, tmp_path / "models")
        for name in "abc":
            registry.add(another_parrot(tiny_model, registry.folder / f"{name}.gguf"))
        registry.activate("a", ANA)
        yield registry


@pytest.fixture
def models(registry: Registry, parrots: Parrots) -> Iterator[ServingModels]:
    """Follows only when a test says ``refresh``."""
    with closing(ServingModels(registry, parrots.load, poll_seconds=NEVER)) as models:
        yield models


def name_of(model: LanguageModel | None) -> str:
    return model.identity.name.removesuffix(".gguf") if model else ""


def lent(models: ServingModels, channel: str = "", thread: str = "") -> str:
    with models.lease(channel=channel, thread=thread) as model:
        return name_of(model)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
