"""A llama.cpp that dies of the model: the bot goes on, and says what is so and what to do.

The children that try the model are real ones, in which llama.cpp dies at its first batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.bootstrap.wiring import open_models
from bot.domain.settings import ModelTable, Settings
from bot.domain.values import Message
from bot.models.registry import Registry
from bot.operations.doctor.examination import examine
from bot.records.database import Database
from bot.serving.lending import Models
from bot.serving.model import Sampling
from bot.workspace import Workspace
from indexer.index import Index
from tests.scenarios.conftest import ask, connected
from tests.services.dying_llama import let_children_die
from tests.services.model_files import another_parrot

MEALS = "How much may I spend on meals per day when I travel?"
SAFER = "is loaded a safer way, which can be slower"
REFUSED = "cannot be used on this machine: llama.cpp dies at the first batch (SIGILL; loaded the"


@pytest.fixture
def pinned(installed: Settings, tmp_path: Path, tiny_model: Path) -> Settings:
    """With a model that the settings name, and nothing remembered of it."""
    model = ModelTable(path=tiny_model, context_tokens=1024, threads=1)
    return installed.model_copy(update={"cache_dir": tmp_path / "cache", "model": model})


def written(models: Models) -> str:
    """What the model says that is lent, "" where none is."""
    with models.lease() as model:
        if model is None:
            return ""
        return "".join(model.stream([Message("user", "soup at noon")], Sampling(max_tokens=8)))


def found(settings: Settings) -> tuple[bool, str]:
    (finding,) = examine(settings, ["model"])
    return finding.ok, finding.said


def test_model_that_kills_when_repacked_writes_loaded_the_safer_way(
    pinned: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    let_children_die(tmp_path, monkeypatch, "repacked")
    with open_models(pinned) as models:
        assert written(models) == "soup at noon"
        assert models.problems() == ()
    assert SAFER in caplog.text
    well, said = found(pinned)
    assert well
    assert SAFER in said


def test_model_that_kills_however_it_is_loaded_leaves_the_bot_quoting(
    pinned: Settings,
    settings: Settings,
    workspace: Workspace,
    handbook: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    let_children_die(tmp_path, monkeypatch, "always")
    with connected(pinned.model_copy(update={"slack": settings.slack}), handbook, workspace):
        answer = ask(workspace, MEALS)
    assert "EUR" in str(answer)
    assert REFUSED in caplog.text
    well, said = found(pinned)
    assert not well
    assert REFUSED in said


def test_doctor_tries_again_what_is_remembered(
    pinned: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        let_children_die(tmp_path, dying, "always")
        assert found(pinned)[0] is False
    with open_models(pinned) as models:
        assert models.problems()
        assert REFUSED in models.problems()[0]
    assert found(pinned) == (
        True,
        f"{pinned.model.path.name if pinned.model.path else ''} can be loaded.",
    )
    with open_models(pinned) as models:
        assert written(models) == "soup at noon"


@contextmanager
def registered(settings: Settings) -> Iterator[tuple[Database, Registry]]:
    with closing(Database(settings.records_url)) as database:
        yield database, Registry(database, settings.models_dir)


def test_version_that_kills_is_not_swapped_in(
    pinned: Settings,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    following = pinned.model_copy(update={"model": ModelTable(context_tokens=1024, threads=1)})
    with registered(following) as (database, registry):
        for name in ("good", "deadly"):
            registry.add(another_parrot(tiny_model, tmp_path / f"{name}.gguf"))
        registry.activate("good", "ana")
        with open_models(following, database) as models:
            assert written(models) == "soup at noon"
            let_children_die(tmp_path, monkeypatch, "always")
            registry.activate("deadly", "ana")
            models.refresh()  # type: ignore[attr-defined]
            assert written(models) == "soup at noon"
            (problem,) = models.problems()
            assert "deadly.gguf" in problem
            assert REFUSED in problem
        with open_models(following, database) as models:  # started anew: nothing to go on with
            assert written(models) == ""
        well, said = found(following)
        assert not well
        assert said.startswith("deadly: deadly.gguf cannot be used on this machine")
