"""The settings of training as the environment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.errors import AdaptersSettingsError
from adapters.settings import load


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
