"""What can be set about the bot, on top of the index's settings.

The only module of this package that reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from bot.domain.database_address import parsed, password_of
from bot.domain.errors import BotSettingsError
from bot.domain.thresholds import Thresholds
from indexer.errors import IndexSettingsError
from indexer.settings import IndexSettings, NamedClass, Table, nearest
from indexer.settings import load as load_index_settings

_VARIABLES_OF_ALL = ("LOREBOT_CONFIG", "LOREBOT_TEST_")
_VARIABLES_OF_OTHERS = (*_VARIABLES_OF_ALL, "LOREBOT_ADAPTERS_")


class ModelTable(Table):
    """``[model]``: the language model.

    A ``path``, a ``url`` or an ``llm`` pins it; without any the registry decides
    (``lorebot model use``), and where that serves none the bot answers by quoting.
    """

    path: Path | None = None
    """A GGUF file."""
    url: str = ""
    """An OpenAI-compatible server (llama-server, vLLM), such as http://127.0.0.1:8080/v1."""
    api_key: SecretStr = SecretStr("")
    """Of that server, where it asks for one."""
    name: str = ""
    """Which of the server's models; empty means its only one."""
    llm: NamedClass | None = None
    """``[model.llm]``: an LLM of LlamaIndex by class and arguments, which gives verdicts but no
    probabilities."""
    context_tokens: int = Field(default=4096, ge=512)
    """Room for question, passages and answer together."""
    answer_tokens: int = Field(default=600, ge=16)
    """Length of an answer, at most."""
    answer_seconds: float = Field(default=180.0, gt=0)
    """After this the documents are quoted instead; what is supported until then is kept."""
    threads: int = Field(default=0, ge=0, description="Threads of the model; 0 means all cores.")
    slots: int = Field(default=2, ge=1, le=64, description="Answers written at once.")
    gpu_layers: int = Field(
        default=0, ge=-1, description="Layers that a GPU computes; -1 means all."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if len(self._given) > 1:
            names = " and ".join(self._given)
            raise ValueError(f"{names} are both set: keep the one that shall serve")
        return self

    @property
    def pinned_by(self) -> str:
        """The setting that names the model, so that the registry does not; "" where none does."""
        return f"[model] {self._given[0]}" if self._given else ""

    @property
    def pinned(self) -> str:
        """What that setting names, for people."""
        return self.llm.class_name if self.llm else str(self.path or self.url)

    @property
    def _given(self) -> list[str]:
        places = {"path": self.path, "url": self.url, "llm": self.llm}
        return [name for name, value in places.items() if value]


class SlackTable(Table):
    """``[slack]``: how Slack is reached, and who runs the bot; secrets better as LOREBOT_SLACK_….

    Over Socket Mode two tokens are needed, over HTTP the signing secret and a bot token. With
    ``client_id`` in place of the bot token, ``workspaces`` install the app themselves.
    """

    bot_token: SecretStr = SecretStr("")
    """``xoxb-…``: what the bot calls Slack with."""
    app_token: SecretStr = SecretStr("")
    """``xapp-…``: what Socket Mode is opened with."""
    api_url: str = "https://slack.com/api/"
    """Another address only for a Slack-compatible server, such as the local workspace."""
    mode: Literal["socket", "http"] = "socket"
    """How events arrive: over a connection that the bot opens, or posted to it."""
    listen: str = "127.0.0.1:3000"
    """HOST:PORT that HTTP requests are taken at, behind whatever terminates TLS."""
    url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    """The public address in front of ``listen``, such as https://lorebot.example.com."""
    signing_secret: SecretStr = SecretStr("")
    """Over HTTP: what Slack signs its requests with."""
    client_id: str = ""
    """Of the app, where several workspaces install it by OAuth."""
    client_secret: SecretStr = SecretStr("")
    """Of the app, beside ``client_id``."""
    workspaces: tuple[Annotated[str, Field(pattern=r"^[TE][A-Z0-9]+$")], ...] = ()
    """The only workspaces that may install: its people read every public document."""
    token_keys: SecretStr = SecretStr("")
    """Encrypts the workspaces' tokens; several by commas, the newest first."""
    admins: tuple[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")], ...] = ()
    """Ids of people who may use /lorebot, besides the workspace's admins and owners."""
    digest_channel: str = Field(default="", pattern=r"^([CG][A-Z0-9]+)?$")
    """Where unanswered questions are posted each week; empty means nowhere."""
    digest_day: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = "mon"
    """When the digest is posted."""
    digest_hour: int = Field(default=9, ge=0, le=23, description="The hour of that, in UTC.")

    @property
    def keys(self) -> tuple[str, ...]:
        given = self.token_keys.get_secret_value().split(",")
        return tuple(key.strip() for key in given if key.strip())

    @property
    def is_distributed(self) -> bool:
        """Whether workspaces install the app by OAuth."""
        return self.mode == "http" and bool(self.client_id)


class MonitorTable(Table):
    """``[monitor]``: health and metrics, on a port of their own."""

    listen: str = ""
    """HOST:PORT of /healthz, /readyz and /metrics; empty means none."""
    traces_url: str = Field(default="", pattern=r"^(https?://[^\s?#@]+)?$")
    """Where OpenTelemetry traces go, such as http://127.0.0.1:4318/v1/traces; empty is nowhere."""


class LogsTable(Table):
    """``[logs]``: lines on stderr, without content and without secrets."""

    format: Literal["text", "json"] = "text"
    """``json`` is one object per line."""
    level: Literal["debug", "info", "warning", "error"] = "warning"
    """What is less important is left out."""


class RecordsTable(Table):
    """``[records]``: where answers, votes and unfinished work are kept."""

    url: SecretStr = SecretStr("")
    """An SQLAlchemy address, ``postgresql+psycopg://…``; empty means SQLite in data_dir."""
    password: SecretStr = SecretStr("")
    """Of the address's user, where the address itself holds none; better given by a file."""
    replica: str = Field(default="local", pattern=r"^[\w.-]{1,64}$")
    """This process among those that share the records: its own, and the same after a restart."""

    @field_validator("url")
    @classmethod
    def _readable(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value():
            parsed(url.get_secret_value())
        return url

    @property
    def address(self) -> str:
        """``url`` with ``password`` in it; "" where the records are a file."""
        url, password = self.url.get_secret_value(), self.password.get_secret_value()
        if not url or not password:
            return url
        address = parsed(url)
        if password_of(address) or not address.username:
            return url
        driver, _, rest = url.partition("://")
        place, slash, name = rest.partition("/")
        user, _, host = place.rpartition("@")
        return f"{driver}://{user.rstrip(':')}:{quote(password, safe='')}@{host}{slash}{name}"


class CanaryTable(Table):
    """``[canary]``: when a canary is called off, and whether it is promoted by itself."""

    min_answers: int = Field(
        default=12, ge=1, validation_alias=AliasChoices("min_answers", "least_answers")
    )
    """Answers of the canary that people voted on, before anything is decided."""
    worse: float = Field(default=0.95, gt=0.5, lt=1)
    """Probability that its share of thumbs up is the lower one, from which it is called off."""
    promote_after: int = Field(default=0, ge=0)
    """Answers of the canary that people voted on, after which it answers everybody where it is
    probably ``better``; 0 leaves that to people."""
    better: float = Field(default=0.8, ge=0.5, lt=1)
    """Probability that its share of thumbs up is the higher one, from which it is promoted."""


class RetentionTable(Table):
    """``[retention]``: for how many days things are kept; 0 is for ever."""

    answers_days: int = Field(default=0, ge=0)
    """Questions with their answers, votes and corrections, and which threads are muted."""
    judged_days: int | None = Field(default=None, ge=0)
    """Those of them that people voted on or corrected, which models learn from; as
    ``answers_days`` unless given."""
    audit_days: int = Field(default=0, ge=0)
    """What admins did, and their reindexes."""
    jobs_days: int = Field(default=30, ge=1)
    """Work that has ended: it holds no text, and serves only to look up what happened."""


class Settings(IndexSettings):
    """All that the bot needs."""

    model_config = SettingsConfigDict(extra="forbid")

    model: ModelTable = ModelTable()
    thresholds: Thresholds = Thresholds()
    slack: SlackTable = SlackTable()
    records: RecordsTable = RecordsTable()
    canary: CanaryTable = CanaryTable()
    retention: RetentionTable = RetentionTable()
    adapters: Any = None
    """``[adapters]``: read, and checked, by lorebot-adapters alone."""
    monitor: MonitorTable = MonitorTable()
    logs: LogsTable = LogsTable()

    @property
    def records_url(self) -> str:
        return self.records.address or f"sqlite:///{self._records_path}"

    @property
    def has_records(self) -> bool:
        """Whether the records have been created, or are a server's."""
        return bool(self.records.url.get_secret_value()) or self._records_path.exists()

    @property
    def models_dir(self) -> Path:
        """Where pulled and trained models lie."""
        return self.data_dir.resolve() / "models"

    @property
    def jobs_url(self) -> str:
        """DBOS keeps its tables in a schema of their own beside the records on Postgres."""
        return self.records.address or f"sqlite:///{self.data_dir.resolve() / 'jobs.sqlite'}"

    @property
    def _records_path(self) -> Path:
        return self.data_dir.resolve() / "records.sqlite"


def load(**given: object) -> Settings:
    """Read ``lorebot.toml`` and the environment once; BotSettingsError names every mistake."""
    refuse_unknown_variables(Settings, _VARIABLES_OF_OTHERS)
    try:
        return load_index_settings(Settings, **given)
    except IndexSettingsError as error:
        raise BotSettingsError(str(error)) from error


def environment_of_others() -> dict[str, str]:
    """What programs of others are started with: all but our own variables, which hold secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOREBOT_")}


def refuse_unknown_variables(
    settings: type[Settings], others: tuple[str, ...] = _VARIABLES_OF_ALL
) -> None:
    """A misspelt variable would silently do nothing; those that begin as ``others`` are not ours.

    Raises BotSettingsError.
    """
    known, older = set[str](), set[str]()
    for name, field in settings.model_fields.items():
        known.add(f"LOREBOT_{name}".upper())
        table = field.annotation
        if isinstance(table, type) and issubclass(table, Table):
            known.update(f"LOREBOT_{name}_{key}".upper() for key in table.model_fields)
            older.update(f"LOREBOT_{name}_{key}".upper() for key in table.older_names())
    unknown = [
        variable
        for variable in sorted(os.environ)
        if variable.startswith("LOREBOT_")
        and variable.removesuffix("_FILE") not in known | older
        and not variable.startswith(others)
    ]
    if unknown:
        raise BotSettingsError(
            f"Unknown settings in the environment: {', '.join(_with_nearest(unknown, known))}. "
            "docs/settings.md has all; correct or unset them."
        )


def _with_nearest(unknown: Sequence[str], known: Set[str]) -> Iterator[str]:
    """Each unknown variable with the known one that was probably meant.

    Compared without the prefix, which all share and which would make any two of them near.
    """
    ours = "LOREBOT_"
    names = {name.removeprefix(ours) for name in known}
    for variable in unknown:
        plain = variable.removesuffix("_FILE")
        near = nearest(plain.removeprefix(ours), names)
        suffix = variable[len(plain) :]
        yield f"{variable} (did you mean {ours}{near}{suffix}?)" if near else variable
