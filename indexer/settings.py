"""Settings of the index, read from ``lorebot.toml`` and overridden by ``LOREBOT_…`` variables.

The only module of this package that reads the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from indexer.documents import Audience
from indexer.errors import AudienceError, IndexSettingsError

_FILE = "_file"


class Table(BaseModel):
    """A table of lorebot.toml; a misspelt key is an error, never ignored.

    A key that was renamed is taken by its older names, too: those of its ``validation_alias``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def older_names(cls) -> dict[str, str]:
        """The names that keys had before, each with today's."""
        return {
            str(older): name
            for name, field in cls.model_fields.items()
            if isinstance(field.validation_alias, AliasChoices)
            for older in field.validation_alias.choices
            if older != name
        }

    @model_validator(mode="before")
    @classmethod
    def _by_one_name(cls, given: object) -> object:
        for older, name in cls.older_names().items():
            if isinstance(given, dict) and older in given and name in given:
                raise ValueError(f"{older} is the older name of {name}, and both are set: keep one")
        return given


def _secret(value: object) -> object:
    """``{env = "NAME"}`` anywhere in a value becomes what that variable holds, as a secret;
    ``{file = "/run/secrets/name"}`` what that file holds.
    """
    match value:
        case {"env": name, **rest} if not rest:
            if not os.environ.get(str(name)):
                raise ValueError(f"{name} is not set in the environment; set it, or correct it")
            return SecretStr(os.environ[str(name)])
        case {"file": path, **rest} if not rest:
            return SecretStr(_read_secret("the settings", str(path)))
    if isinstance(value, dict):
        return {key: _secret(each) for key, each in value.items()}
    return [_secret(each) for each in value] if isinstance(value, list) else value


def _read_secret(named_by: str, path: str) -> str:
    """The secret in a file, as container platforms mount them, without the newline at its end.

    ``named_by`` is what names the file, for the message of the IndexSettingsError it may raise.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexSettingsError(
            f"The secret {path!r} that {named_by} names cannot be read ({error}): correct the "
            "path, or let the user that runs Lorebot read the file."
        ) from error


def _variables() -> dict[str, str]:
    """Our variables in lower case. ``LOREBOT_…_FILE`` gives the content of the file it names."""
    given = {
        name.lower(): value for name, value in os.environ.items() if name.startswith("LOREBOT_")
    }
    for name in tuple(given):
        if name.endswith(_FILE) and not name.startswith("lorebot_test_"):
            plain = name.removesuffix(_FILE)
            if given.get(plain):
                raise IndexSettingsError(f"{plain.upper()} is set, and {name.upper()}: keep one.")
            given[plain] = _read_secret(name.upper(), given.pop(name))
    return given


def _principals(value: object) -> tuple[str, ...]:
    try:
        return Audience.parse(value).sorted() if value else ()
    except AudienceError as error:
        raise ValueError(str(error)) from error


def _not_empty(principals: tuple[str, ...]) -> tuple[str, ...]:
    if not principals:
        raise ValueError('name who may read it, for instance `audience = "public"`')
    return principals


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""A string, better given as ``{env = "NAME"}`` or ``{file = "PATH"}``; never printed."""
Principals = Annotated[tuple[str, ...], BeforeValidator(_principals)]
"""One principal or a list; unknown ones are refused."""
SomePrincipals = Annotated[Principals, AfterValidator(_not_empty)]
SourceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class FilesSource(Table):
    """``[[sources]] kind = "files"``: a folder of documents, for instance a git checkout."""

    kind: Literal["files"] = "files"
    """A folder, unless another kind is named."""
    name: SourceName
    """Of your choice, lower case; ids of its documents begin with it."""
    path: Path
    """The folder."""
    audience: Principals = ()
    """Who may read pages without an audience of their own; empty refuses such pages."""
    audiences: dict[str, SomePrincipals] = {}
    """By folder: ``"leadership/**" = "slack_channel:C…"``. The first pattern that matches a
    page's path below the folder wins over ``audience``; a page's front matter wins over both."""
    link: str = ""
    """What citations link to, with ``{path}`` for the page's path below the folder."""


class SlackSource(Table):
    """``[[sources]] kind = "slack"``: messages and files of channels the bot is a member of."""

    kind: Literal["slack"] = "slack"
    """Slack's history."""
    name: SourceName
    """Of your choice, lower case; ids of its documents begin with it."""
    token: Secret = Field(
        default_factory=lambda: SecretStr(_variables().get("lorebot_slack_bot_token", ""))
    )
    """The bot's; unset means ``[slack] bot_token`` as the environment gives it."""
    channels: tuple[Annotated[str, Field(pattern=r"^[CG][A-Z0-9]+$")], ...] = ()
    """Ids of the channels to index; empty means every channel the bot is a member of."""
    reread_days: int | None = Field(default=None, ge=0)
    """Threads silent for longer are asked for again only when their root, the number of replies
    or the latest reply has changed: what is missed are edits of old replies. Unset means that
    every sync reads every thread, at some 50 threads per minute."""
    api_url: str = "https://slack.com/api/"
    """Another address only for a Slack-compatible server."""


class LlamaHubSource(Table):
    """``[[sources]] kind = "llamahub"``: the documents that a LlamaHub reader loads."""

    kind: Literal["llamahub"] = "llamahub"
    """A reader of LlamaIndex."""
    name: SourceName
    """Of your choice, lower case; ids of its documents begin with it."""
    reader: str = Field(pattern=r"^[\w.]+:\w+$")
    """``module:Class``, for instance ``llama_index.readers.notion:NotionPageReader``."""
    arguments: Annotated[dict[str, Any], BeforeValidator(_secret)] = {}
    """For the class; a secret is written ``{env = "NAME"}`` or ``{file = "PATH"}``."""
    load: Annotated[dict[str, Any], BeforeValidator(_secret)] = {}
    """For its ``load_data``."""
    audience: SomePrincipals
    """Who may read all that it loads."""
    id_field: str = ""
    """The metadata field that names a document for good; empty means the reader's own id."""
    title_field: str = "title"
    """The metadata field with a document's title."""
    url_field: str = "url"
    """The metadata field with the address that citations link to."""


def _files_by_default(value: object) -> object:
    return {"kind": "files", **value} if isinstance(value, dict) else value


_OneKind = Annotated[FilesSource | SlackSource | LlamaHubSource, Field(discriminator="kind")]
AnySource = Annotated[_OneKind, BeforeValidator(_files_by_default)]


class NamedClass(Table):
    """A class of any installed package, for instance one of LlamaIndex's integrations."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    class_name: str = Field(alias="class", pattern=r"^[\w.]+:[\w.]+$")
    """``module:Class``, or ``module:Class.method`` for a classmethod that makes one."""
    arguments: Annotated[dict[str, Any], BeforeValidator(_secret)] = {}
    """For the class; a secret is written ``{env = "NAME"}`` or ``{file = "PATH"}``, an object
    ``{class = "module:Class", arguments = {…}}``."""


class FusedRetriever(NamedClass):
    """``[[index.retrievers]]``: a LlamaIndex retriever whose finds join those of the index."""

    name: SourceName
    """Of your choice, lower case; channels can choose it among the sources."""
    audience: SomePrincipals
    """Who may read what it finds; a node whose metadata names an ``audience`` is for fewer."""
    weight: float = Field(default=0.5, gt=0, le=1)
    """What its best find scores, beside the index's in 0..1."""


class ExtractionTable(Table):
    """``[extraction]``: limits for one file; one that exceeds them is reported as unreadable."""

    seconds: float = Field(default=60, gt=0)
    """Time to read one file."""
    memory_megabytes: int = Field(default=1024, ge=256)
    """Address space of the process that reads, and the limit of what an archive unpacks to."""
    file_megabytes: int = Field(default=50, ge=1)
    """Larger files are not read."""
    text_megabytes: int = Field(default=20, ge=1)
    """Files with more text than this are not read."""


class StoreTable(Table):
    """``[store]``: where the index is kept, a file on this machine or a Weaviate server."""

    kind: Literal["sqlite", "weaviate"] = "sqlite"
    """``sqlite`` is a file in ``data_dir``, ``weaviate`` a server."""
    url: str = Field(default="", pattern=r"^(https?://[^/?#@\s]+/?)?$")
    """Of the server's HTTP side, for instance ``http://weaviate:8080``; https secures gRPC too."""
    grpc_host: str = ""
    """Empty means the host of ``url``."""
    grpc_port: int = Field(default=50051, ge=1, le=65535)
    """Of the server's gRPC side."""
    api_key: Secret | None = None
    """Of the server, where it asks for one."""
    collection: str = Field(default="Lorebot", pattern=r"^[A-Z][A-Za-z0-9]{0,99}$")
    """Several indexes share a server under different names."""
    replication_factor: int = Field(default=1, ge=1, description="Nodes that hold each object.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "weaviate" and not self.url:
            raise ValueError('name the server, for instance `url = "http://127.0.0.1:8080"`')
        if self.kind == "sqlite" and self.url:
            raise ValueError('a `url` is for `kind = "weaviate"`; set that too, or remove it')
        return self

    @property
    def grpc_address(self) -> str:
        return f"{self.grpc_host or urlsplit(self.url).hostname}:{self.grpc_port}"


class IndexTable(Table):
    """``[index]``: the embedder and how passages are found."""

    embedder: str = "all-MiniLM-L6-v2"
    """The default embedder by name, or the path of any GGUF embedding model."""
    threads: int = Field(default=0, ge=0, description="Threads of the embedder; 0 means all cores.")
    dense_weight: float = Field(default=0.5, ge=0, le=1)
    """Of the vectors' scores, beside the words' in hybrid search; 0 means words alone."""
    candidates: int = Field(default=30, ge=1, le=1000)
    """Chunks that each leg of the search contributes, and the most that are reranked."""
    passages: int = Field(default=6, ge=1, le=50)
    """Passages that a question is answered from, at most."""
    merge_neighbours: bool = True
    """Chunks that stand side by side and are about as relevant become one passage."""
    freshness_weight: float = Field(default=0.02, ge=0, le=1)
    """What age can make of a score in 0..1 at most; pages without a date neither gain nor lose."""
    half_life_days: float = Field(default=730, gt=0)
    """After so many days half of a page's freshness is left."""
    reranker: Path | None = None
    """A GGUF cross-encoder that scores the candidates again, for instance bge-reranker-v2-m3."""
    postprocessors: tuple[NamedClass, ...] = ()
    """LlamaIndex node postprocessors, in order, after our own: they may score, order and drop."""
    retrievers: tuple[FusedRetriever, ...] = ()
    """LlamaIndex retrievers whose finds join those of the index."""
    shrink_limit: float = Field(default=0.5, ge=0, le=1)
    """A source that loses more than this share of its documents at once keeps them, and asks."""
    worker: bool = False
    """``lorebot worker`` keeps the index up to date, in place of the bot when it starts."""
    refresh: str = Field(default="*/15 * * * *", pattern=r"^\S+( \S+){4,5}$")
    """When the worker reads all sources: cron, in UTC; the first of six fields is seconds."""


class IndexSettings(BaseSettings):
    """All tables that the indexer reads; the bot's settings extend them."""

    model_config = SettingsConfigDict(
        env_prefix="LOREBOT_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Path(".lorebot")
    """The index, the records and the jobs live here unless a server's address is set."""
    cache_dir: Path = Field(default_factory=lambda: platformdirs.user_cache_path("lorebot"))
    """Converted models and the indexes of ``lorebot ask --docs``; safe to delete."""
    index: IndexTable = IndexTable()
    store: StoreTable = StoreTable()
    extraction: ExtractionTable = ExtractionTable()
    sources: tuple[AnySource, ...] = ()

    @property
    def index_path(self) -> Path:
        return self.data_dir / "index.sqlite"

    @property
    def index_address(self) -> str:
        """Where the index is, for people to read."""
        if self.store.kind == "weaviate":
            return f"{self.store.collection} at {self.store.url}"
        return str(self.index_path)

    def source_cache_path(self, source: str) -> Path:
        """The cache of what a source need not read again; safe to delete."""
        return self.data_dir / "sources" / f"{source}.sqlite"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller passes wins over the environment, which wins over the file."""
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = _variables()
        file = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        return (init_settings, env_settings, file)


def settings_file() -> Path:
    """``lorebot.toml`` in the working directory unless ``LOREBOT_CONFIG`` names another."""
    return Path(os.environ.get("LOREBOT_CONFIG", "lorebot.toml"))


def nearest(misspelt: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, "" where none is near."""
    found = difflib.get_close_matches(misspelt.casefold(), {name.casefold() for name in known}, 1)
    return next((name for name in known if name.casefold() in found), "")


def _said(settings_class: type[BaseModel], problem: ErrorDetails) -> str:
    """What is wrong with a setting; of a key that does not exist, which was probably meant."""
    if problem["type"] != "extra_forbidden":
        return problem["msg"]
    *table, key = problem["loc"]
    known = sorted(_keys(_tables_at(settings_class, table)))
    near = nearest(str(key), known)
    if near:
        return f"there is no such setting; did you mean {near}?"
    return f"there is no such setting; here are {', '.join(known)}"


def _tables_at(settings_class: type[BaseModel], path: Sequence[int | str]) -> list[type[BaseModel]]:
    """The tables that may stand at a place; a list's number and an unknown name lead nowhere."""
    tables = [settings_class]
    for part in path:
        tables = (
            [
                table
                for each in tables
                for name, field in each.model_fields.items()
                if part in (name, field.alias)
                for table in _tables_in(field.annotation)
            ]
            or [each for each in tables if _kind(each) == part]
            or tables
        )
    return tables


def _tables_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _tables_in(part)


def _kind(table: type[BaseModel]) -> object:
    field = table.model_fields.get("kind")
    return field.default if field else None


def _keys(tables: Iterable[type[BaseModel]]) -> set[str]:
    return {field.alias or name for table in tables for name, field in table.model_fields.items()}


Loaded = TypeVar("Loaded", bound=IndexSettings)


def load(settings_class: type[Loaded], **given: Any) -> Loaded:
    """Read file and environment once. Raises one IndexSettingsError that names every mistake.

    ``given`` fields win over the environment, which wins over the file.
    """
    if "LOREBOT_CONFIG" in os.environ and not settings_file().is_file():
        raise IndexSettingsError(
            f"LOREBOT_CONFIG names {settings_file()}, which is no file; correct or unset it."
        )
    try:
        return settings_class(**given)
    except ValidationError as error:
        problems = [
            f"  {'.'.join(str(part) for part in problem['loc'])}: {_said(settings_class, problem)}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise IndexSettingsError(
            f"Settings are wrong ({settings_file()} or LOREBOT_… in the environment):\n"
            + "\n".join(problems)
        ) from None
    except UnicodeDecodeError as error:
        raise IndexSettingsError(
            f"{settings_file()} is no text in UTF-8, see its byte {error.start}: save it as UTF-8."
        ) from None
    except (SettingsError, tomllib.TOMLDecodeError, OSError) as error:
        raise IndexSettingsError(f"{settings_file()} cannot be read: {error}") from None
