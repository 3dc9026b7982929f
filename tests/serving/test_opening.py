"""Files that are measured are tried in a child process first, as those that serve are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import ModelCrashes
from bot.domain.settings import ModelTable
from bot.serving.opening import open_model
from indexer.trials import Trials
from tests.services.dying_llama import let_children_die

TABLE = ModelTable(context_tokens=512, slots=1, threads=1)


def test_a_candidate_that_kills_llama_cpp_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_children_die(tmp_path, monkeypatch, "always")
    with (
        pytest.raises(ModelCrashes, match="dies at the first batch"),
        open_model(TABLE, tiny_model, Trials(tmp_path)),
    ):
        pass


def test_a_candidate_that_has_to_be_loaded_the_safer_way_is(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    let_children_die(tmp_path, monkeypatch, "repacked")
    with open_model(TABLE, tiny_model, Trials(tmp_path)) as model:
        assert model.identity.name == tiny_model.name
    assert "is loaded a safer way" in caplog.text
