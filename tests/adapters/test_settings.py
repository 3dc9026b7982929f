"""The settings of training as the environment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.errors import AdaptersSettingsError
from adapters.settings import PreferTable, TrainTable, load


@pytest.mark.parametrize(
    "misspelt",
    [
        "LOREBOT_SLACK_BOT_TOKN",
        "LOREBOT_LOG_FORMAT",
        "LOREBOT_ADAPTERS_BSE",
        "LOREBOT_ADAPTERS_TRAIN_EPOCHS",  # of nested tables only the first is a variable's
    ],
)
def test_a_misspelt_variable_is_an_error(misspelt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(misspelt, "1")
    with pytest.raises(AdaptersSettingsError, match=f"environment: {misspelt}"):
        load()


def test_variables_of_the_bot_and_of_training_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("xoxb-1\n")
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("LOREBOT_LOGS_FORMAT", "json")
    monkeypatch.setenv("LOREBOT_ADAPTERS_BASE", str(tmp_path))
    monkeypatch.setenv("LOREBOT_ADAPTERS_TRAIN", '{"epochs": 7}')
    settings = load()
    assert settings.slack.bot_token.get_secret_value() == "xoxb-1"
    assert settings.logs.format == "json"
    assert settings.adapters.base == tmp_path
    assert settings.adapters.train.epochs == 7


OLDER_NAMES = """
[adapters.train]
batch = 8
at_once = 4
tokens = 512
least_examples = 5
[adapters.prefer]
batch = 6
[adapters.evaluate]
least_questions = 3
[adapters.promote]
least_questions = 4
[canary]
least_answers = 7
"""


def test_older_names_of_settings_are_taken_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lorebot.toml").write_text(OLDER_NAMES)
    monkeypatch.setenv("LOREBOT_CONFIG", str(tmp_path / "lorebot.toml"))
    settings = load()
    assert settings.adapters.train == TrainTable(
        batch_size=8, per_device_batch_size=4, max_length=512, min_examples=5
    )
    assert settings.adapters.prefer == PreferTable(batch_size=6)
    assert settings.adapters.evaluate.min_questions == 3
    assert settings.adapters.promote.min_questions == 4
    assert settings.canary.min_answers == 7


@pytest.mark.parametrize("name", ["LEAST_ANSWERS", "MIN_ANSWERS"])
def test_both_names_of_a_setting_are_taken_from_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LOREBOT_CANARY_{name}", "7")
    monkeypatch.setenv("LOREBOT_ADAPTERS_TRAIN", '{"batch": 8, "max_length": 512}')
    settings = load()
    assert settings.canary.min_answers == 7
    assert settings.adapters.train == TrainTable(batch_size=8, max_length=512)


def test_a_setting_by_both_of_its_names_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lorebot.toml").write_text("[canary]\nleast_answers = 7\n")
    monkeypatch.setenv("LOREBOT_CONFIG", str(tmp_path / "lorebot.toml"))
    monkeypatch.setenv("LOREBOT_CANARY_MIN_ANSWERS", "8")
    with pytest.raises(
        AdaptersSettingsError, match="least_answers is the older name of min_answers"
    ):
        load()


@pytest.mark.parametrize("misspelt", ["batchsize", "at_onc", "least_example"])
def test_a_misspelt_name_beside_an_older_one_is_an_error(
    misspelt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_ADAPTERS_TRAIN", f'{{"batch": 8, "{misspelt}": 2}}')
    wrong = f"adapters.train.{misspelt}: there is no such setting"
    with pytest.raises(AdaptersSettingsError, match=wrong):
        load()
