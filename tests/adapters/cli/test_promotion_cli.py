"""The commands around promotion say what they did, and exit with 1 where they did nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from adapters.cli import main as cli
from adapters.runs.manifest import run_stage
from bot.cli import main as lorebot
from bot.domain.errors import BotSettingsError
from bot.models.registry import Registry
from bot.records.database import Database
from tests.adapters.candidates import a_candidate, measured
from tests.services.model_files import write_gguf

BY_HAND = {"rollback": ["rollback"], "canary": ["canary", "--judge"]}
"""As `lorebot model` has them."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """``old`` answers; the commands read their settings where they are run."""
    monkeypatch.chdir(tmp_path)
    Path("lorebot.toml").write_text('data_dir = "data"\n[adapters.promote]\ncanary_share = 0\n')
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(Database(f"sqlite:///{folder / 'records.sqlite'}")) as database:
        registry = Registry(database, folder / "models")
        registry.add(write_gguf(tmp_path / "old.gguf"), name="old")
        registry.activate("old", "ana")
        yield registry


@pytest.fixture
def line(registry: Registry, tmp_path: Path) -> Path:
    """A line that has come as far as its evaluation, and won."""
    folder = tmp_path / "data" / "adapters" / "default"
    a_candidate(folder, serving=registry.version("old").sha256)
    for stage in ("train", "merge", "convert"):
        run_stage(stage, folder / stage, settings={}, inputs={}, work=lambda run: None)
    return folder


def said(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_promote_then_lineage_then_rollback(registry: Registry, line: Path) -> None:
    assert "promote: finished" in said("promote", "--signed-by", "Maja Lind")
    version = registry.serving().version
    assert version is not None
    assert version.name.startswith("default-")
    told = json.loads(said("lineage", version.name, "--json"))
    stages = ["dataset", "train", "merge", "convert", "quantize", "verify", "evaluate"]
    assert [run["stage"] for run in told["runs"]] == stages
    assert "examples: {'train': 1}" in said("lineage", version.name)
    assert said("rollback").startswith("old answers from now on. A running bot takes it over")
    assert registry.serving().version == registry.version("old")


def test_refusal_is_told_on_stderr_and_exits_with_1(
    registry: Registry,
    line: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a_candidate(line, [measured(low=-0.1)], serving="x", file="tuned")
    monkeypatch.setattr(sys, "argv", ["lorebot-adapters", "promote"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "is not promoted, and nothing has changed" in capsys.readouterr().err
    assert registry.serving().version == registry.version("old")


def test_a_model_pinned_by_the_settings_cannot_be_promoted_over(
    registry: Registry,
    line: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("lorebot.toml").write_text('data_dir = "data"\n[model]\npath = "old.gguf"\n')
    monkeypatch.setattr(sys, "argv", ["lorebot-adapters", "promote"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "remove that setting first" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("program", [cli.app, lorebot.app], ids=["adapters", "lorebot"])
@pytest.mark.parametrize("command", ["rollback", "canary"])
def test_nothing_is_decided_under_a_model_pinned_by_the_settings(
    registry: Registry, program: Typer, command: str
) -> None:
    write_gguf(registry.folder / "new.gguf")
    registry.add(registry.folder / "new.gguf")
    registry.canary("new", "ana", share=0.5)
    before = registry.serving()
    Path("lorebot.toml").write_text('data_dir = "data"\n[model]\npath = "old.gguf"\n')
    arguments = [command] if program is cli.app else ["model", *BY_HAND[command]]
    refused = CliRunner().invoke(program, arguments).exception
    assert isinstance(refused, BotSettingsError)
    assert str(refused) == (
        "[model] path names the model, so the registry does not decide which one answers: "
        "remove that setting first, then say this again."
    )
    assert registry.serving() == before


@pytest.mark.parametrize("command", ["rollback", "canary"])
def test_both_names_of_a_command_do_the_same(registry: Registry, command: str) -> None:
    told = []
    for program, arguments in ((cli.app, [command]), (lorebot.app, ["model", *BY_HAND[command]])):
        write_gguf(registry.folder / "new.gguf")
        registry.add(registry.folder / "new.gguf")
        registry.activate("new", "ana")
        registry.canary("old", "ana", share=0.5)
        result = CliRunner().invoke(program, arguments, catch_exceptions=False)
        told.append((result.exit_code, result.output, registry.serving().canary is None))
    assert told[0] == told[1]
    assert told[0][0] == 0


def test_canary_says_what_it_found(registry: Registry) -> None:
    assert said("canary") == "There is no canary to watch."
    write_gguf(registry.folder / "new.gguf")
    registry.add(registry.folder / "new.gguf")
    registry.canary("new", "ana", share=0.5)
    told = said("canary")
    assert told.startswith("The canary new has 0 of 0 up, old 0 of 0 up in the same time")
    assert told.endswith("It goes on.")
