"""Secrets from files: LOREBOT_…_FILE in the environment, {file = …} in lorebot.toml."""

from pathlib import Path

import pytest

from bot.domain.errors import BotSettingsError
from bot.domain.settings import RecordsTable, load


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("xoxb-1\n")
    return file


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "lorebot.toml").write_text(text)
    monkeypatch.setenv("LOREBOT_CONFIG", str(folder / "lorebot.toml"))


def test_a_variable_may_name_the_file_that_holds_its_value(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN_FILE", str(token))
    settings = load()
    assert settings.slack.bot_token.get_secret_value() == "xoxb-1"
    assert "xoxb-1" not in repr(settings)


def test_a_slack_source_uses_the_bots_token_also_from_a_file(
    token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, monkeypatch, '[[sources]]\nkind = "slack"\nname = "chat"\n')
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN_FILE", str(token))
    (source,) = load().sources
    assert source.model_dump()["token"].get_secret_value() == "xoxb-1"


def test_a_sources_secret_may_be_a_file(
    token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'[[sources]]\nkind = "slack"\nname = "chat"\ntoken = {{ file = "{token}" }}\n'
    configured(tmp_path, monkeypatch, text)
    (source,) = load().sources
    assert source.model_dump()["token"].get_secret_value() == "xoxb-1"


def test_a_value_and_a_file_for_it_are_refused_together(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN", "xoxb-2")
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN_FILE", str(token))
    with pytest.raises(BotSettingsError, match="LOREBOT_SLACK_BOT_TOKEN_FILE: keep one"):
        load()


def test_a_secret_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_STORE_API_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(BotSettingsError, match="LOREBOT_STORE_API_KEY_FILE names cannot be read"):
        load()


def test_a_misspelt_variable_for_a_file_is_an_error(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_SLACK_BOTTOKEN_FILE", str(token))
    with pytest.raises(BotSettingsError, match="LOREBOT_SLACK_BOTTOKEN_FILE"):
        load()


def test_the_password_of_the_records_goes_into_their_address() -> None:
    given = {"url": "postgresql+psycopg://lorebot@postgres/lorebot", "password": "p@ss/1"}
    table = RecordsTable.model_validate(given)
    assert table.address == "postgresql+psycopg://lorebot:p%40ss%2F1@postgres/lorebot"
    assert RecordsTable.model_validate({"url": "sqlite:///x", "password": "p"}).address == (
        "sqlite:///x"
    )
    own = {"url": "postgresql+psycopg://a:b@postgres/lorebot", "password": "p"}
    assert RecordsTable.model_validate(own).address == own["url"]


def test_a_settings_file_in_another_encoding_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lorebot.toml").write_bytes('data_dir = "Büro"'.encode("latin-1"))
    monkeypatch.setenv("LOREBOT_CONFIG", str(tmp_path / "lorebot.toml"))
    with pytest.raises(BotSettingsError, match=r"lorebot\.toml is no text in UTF-8.*byte 13"):
        load()
