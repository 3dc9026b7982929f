"""What can be set about the bot, on top of the index's settings.

The only module of this package that reads the environment.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from bot.errors import BotSettingsError
from indexer.errors import IndexSettingsError
from indexer.settings import IndexSettings, Table
from indexer.settings import load as load_index_settings

_VARIABLES_OF_OTHERS = ("LOREBOT_CONFIG", "LOREBOT_TEST_")


class ModelTable(Table):
    """``[model]``: the language model; without a path the bot answers by quoting."""

    path: Path | None = None
    """A GGUF file."""
    context_tokens: int = Field(default=4096, ge=512)
    answer_tokens: int = Field(default=600, ge=16)
    threads: int = Field(default=0, ge=0, description="0 means all cores")
    slots: int = Field(default=2, ge=1, le=64, description="answers written at the same time")
    gpu_layers: int = Field(default=0, ge=-1, description="-1 means all layers")


class SlackTable(Table):
    """``[slack]``: the two tokens, better given as LOREBOT_SLACK_BOT_TOKEN and …_APP_TOKEN."""

    bot_token: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    api_url: str = "https://slack.com/api/"
    """Another address only for a Slack-compatible server, such as the local workspace."""


class RecordsTable(Table):
    """``[records]``: where answers, votes and unfinished work are kept."""

    url: SecretStr = SecretStr("")
    """An SQLAlchemy address, ``postgresql+psycopg://…``; empty means SQLite in data_dir."""


class Settings(IndexSettings):
    """All that the bot needs."""

    model_config = SettingsConfigDict(extra="forbid")

    model: ModelTable = ModelTable()
    slack: SlackTable = SlackTable()
    records: RecordsTable = RecordsTable()

    @property
    def records_url(self) -> str:
        given = self.records.url.get_secret_value()
        return given or f"sqlite:///{self.data_dir.resolve() / 'records.sqlite'}"

    @property
    def jobs_url(self) -> str:
        """DBOS keeps its tables in a schema of their own beside the records on Postgres."""
        given = self.records.url.get_secret_value()
        return given or f"sqlite:///{self.data_dir.resolve() / 'jobs.sqlite'}"


def load(**given: object) -> Settings:
    """Read ``lorebot.toml`` and the environment once; BotSettingsError names every mistake."""
    _refuse_unknown_variables()
    try:
        return load_index_settings(Settings, **given)
    except IndexSettingsError as error:
        raise BotSettingsError(str(error)) from error


def _refuse_unknown_variables() -> None:
    """A misspelt variable would silently do nothing."""
    known = set[str]()
    for name, field in Settings.model_fields.items():
        known.add(f"LOREBOT_{name}".upper())
        table = field.annotation
        if isinstance(table, type) and issubclass(table, Table):
            known.update(f"LOREBOT_{name}_{key}".upper() for key in table.model_fields)
    unknown = [
        variable
        for variable in sorted(os.environ)
        if variable.startswith("LOREBOT_")
        and variable not in known
        and not variable.startswith(_VARIABLES_OF_OTHERS)
    ]
    if unknown:
        raise BotSettingsError(
            f"Unknown settings in the environment: {', '.join(unknown)}. "
            f"Known are: {', '.join(sorted(known))}."
        )
