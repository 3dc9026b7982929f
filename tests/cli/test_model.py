"""``lorebot model`` as a person types it: what is printed, and what is refused with a sentence."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bot.cli.model import app
from bot.domain import settings
from bot.domain.errors import BotSettingsError, LorebotError, ModelCrashes, RegistryError
from bot.models.registry import Registry
from bot.records.database import Database
from tests.services.dying_llama import let_children_die
from tests.services.model_files import another_parrot, write_gguf
from tests.services.model_hub import ModelHub, model_hub

__all__ = ["model_hub"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOREBOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def lorebot_model(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def said(*arguments: str) -> str:
    result = lorebot_model(*arguments)
    assert result.exit_code == 0, result.exception
    return " ".join(result.stdout.split())


def refused(error: type[LorebotError], *arguments: str) -> str:
    result = lorebot_model(*arguments)
    assert isinstance(result.exception, error)
    return str(result.exception)


@pytest.fixture
def added(home: Path) -> None:
    for name in ("small", "large"):
        said("add", str(write_gguf(home / f"{name}.gguf")), "--note", f"the {name} one")


def test_without_versions_it_says_how_to_get_one() -> None:
    assert "lorebot model pull hf:" in said("list")


@pytest.mark.usefixtures("added")
def test_version_is_added_used_and_rolled_back() -> None:
    assert "small answers from now on" in said("use", "small")
    said("use", "large")
    assert "large │ answers" in said("list")
    assert "small answers from now on" in said("rollback")
    assert "small │ answers" in said("list")
    assert "Nothing served before small" in refused(RegistryError, "rollback")


@pytest.mark.usefixtures("added")
def test_canary_is_shown_and_ended() -> None:
    said("use", "small")
    assert "0.1 of all questions and C1" in said(
        "canary", "large", "--share", "0.1", "--channel", "C1"
    )
    assert "large │ canary: 0.1 of all questions and C1" in said("list")
    assert "ended" in said("canary", "--end")
    assert "canary:" not in said("list")
    said("canary", "large", "--channel", "C1")
    assert "small answers" in said("rollback")


@pytest.mark.usefixtures("added")
def test_canary_alone_leaves_nothing_when_rolled_back() -> None:
    said("canary", "large", "--channel", "C1")
    assert "documents are quoted" in said("rollback")


@pytest.mark.parametrize(
    "arguments", [[], ["small", "--end"], ["--end", "--share", "0.1"], ["--share", "0.1"]]
)
def test_half_said_canary_is_explained(arguments: list[str]) -> None:
    assert "--end alone" in refused(BotSettingsError, "canary", *arguments)


@pytest.mark.usefixtures("added")
def test_list_as_json_says_everything(home: Path) -> None:
    said("use", "small")
    said("canary", "large", "--channel", "C1")
    told = json.loads(lorebot_model("list", "--json").stdout)
    assert (told["pinned"], told["serving"]) == (None, "small")
    assert told["canary"] == {"version": "large", "share": 0.0, "channels": ["C1"]}
    small, large = told["versions"]
    assert (small["name"], large["name"]) == ("small", "large")
    content = (home / "small.gguf").read_bytes()
    assert small["sha256"] == hashlib.sha256(content).hexdigest()
    assert (small["path"], small["size"]) == (str(home / "small.gguf"), len(content))
    assert (small["base"], small["note"]) == (None, "the small one")


@pytest.mark.usefixtures("added")
def test_adapter_is_added_beside_its_base(home: Path) -> None:
    tuned = write_gguf(home / "tuned.gguf", adapter=True)
    assert "--base" in refused(RegistryError, "add", str(tuned))
    said("add", str(tuned), "--base", "small", "--name", "small-tuned")
    assert json.loads(said("list", "--json"))["versions"][2]["base"] == "small"


def test_pulled_version_lies_in_the_data_folder_and_goes_when_removed(
    home: Path, model_hub: ModelHub
) -> None:
    content = write_gguf(home / "made.gguf").read_bytes()
    model_hub.files["small.gguf"] = content
    digest = hashlib.sha256(content).hexdigest()
    address = f"{model_hub.url}/small.gguf"
    assert "lorebot model use mine" in said("pull", address, "--sha256", digest, "--name", "mine")
    pulled = home / "data" / "models" / "mine.gguf"
    assert pulled.read_bytes() == content
    said("remove", "mine")
    assert not pulled.exists()
    assert "--sha256" in refused(RegistryError, "pull", address)


@pytest.mark.usefixtures("added")
def test_version_that_answers_is_removed_only_by_force(home: Path) -> None:
    said("use", "small")
    assert "--force" in refused(RegistryError, "remove", "small")
    said("remove", "small", "--force")
    assert (home / "small.gguf").exists()
    assert json.loads(said("list", "--json"))["serving"] is None


@pytest.mark.usefixtures("added")
def test_history_names_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ana")
    said("use", "small")
    assert "ana │ use │ small │ small" in said("history")


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("variable", "value"),
    [("LOREBOT_MODEL_PATH", "other.gguf"), ("LOREBOT_MODEL_URL", "http://127.0.0.1:1/v1")],
)
def test_pinned_model_is_said_and_nothing_is_decided(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    said("use", "small")
    monkeypatch.setenv(variable, value)
    for arguments in (("use", "large"), ("canary", "large", "--share", "1"), ("rollback",)):
        assert "registry does not decide" in refused(BotSettingsError, *arguments)
    assert "none of these answers" in lorebot_model("list").stderr
    assert json.loads(said("list", "--json"))["serving"] == "small"
    with closing(Database(settings.load().records_url)) as database:
        changes = Registry(database, Path("unused")).history()
    assert [change.version for change in changes] == ["small"]


def test_unknown_version_and_missing_file_are_named() -> None:
    assert "no model version tiny" in refused(RegistryError, "use", "tiny")
    assert "no file" in refused(RegistryError, "add", "missing.gguf")


@pytest.fixture
def real(home: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that can be loaded; nothing is remembered of it."""
    monkeypatch.setenv("LOREBOT_CACHE_DIR", str(home / "cache"))
    return another_parrot(tiny_model, home / "parrot.gguf")


def test_version_that_kills_llama_cpp_is_registered_and_refused(
    home: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_children_die(home, monkeypatch, "always")
    result = lorebot_model("add", str(real))
    assert isinstance(result.exception, ModelCrashes)
    assert "parrot is registered" in result.stdout
    assert "Let it answer" not in result.stdout
    for arguments in (("use", "parrot"), ("canary", "parrot", "--share", "0.1")):
        assert "llama.cpp dies at the first batch" in refused(ModelCrashes, *arguments)
    assert json.loads(said("list", "--json"))["serving"] is None


def test_version_that_has_to_be_loaded_the_safer_way_is_said_to_be(
    home: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_children_die(home, monkeypatch, "repacked")
    assert "parrot.gguf is loaded a safer way" in said("add", str(real))
    told = said("use", "parrot")
    assert "parrot.gguf is loaded a safer way" in told
    assert "parrot answers from now on" in told


def test_nothing_is_said_of_a_version_that_lives(real: Path) -> None:
    assert "llama.cpp" not in said("add", str(real)) + said("use", "parrot")
