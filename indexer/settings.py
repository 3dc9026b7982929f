"""What can be set about the index: ``lorebot.toml`` first, then ``LOREBOT_…`` from the environment.

The only module of this package that reads the environment.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from indexer.documents import Audience
from indexer.errors import AudienceError, IndexSettingsError


class Table(BaseModel):
    """A table of lorebot.toml; a misspelt key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FilesSource(Table):
    """``[[sources]] kind = "files"``: a folder of documents."""

    kind: Literal["files"] = "files"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    path: Path
    audience: tuple[str, ...] = ()
    """Who may read pages without an audience of their own; empty refuses such pages."""
    link: str = ""
    """What citations link to, with ``{path}`` for the page's path below the folder."""

    @field_validator("audience", mode="before")
    @classmethod
    def known_audience(cls, value: object) -> tuple[str, ...]:
        try:
            return Audience.parse(value).sorted() if value else ()
        except AudienceError as error:
            raise ValueError(str(error)) from error


class IndexTable(Table):
    """``[index]``: the embedder, the store and how passages are found."""

    embedder: str = "all-MiniLM-L6-v2"
    """The default embedder by name, or the path of any GGUF embedding model."""
    threads: int = Field(default=0, ge=0, description="threads of the embedder; 0 means all cores")
    dense_weight: float = Field(default=0.5, ge=0, le=1)
    candidates: int = Field(default=30, ge=1, le=1000)
    passages: int = Field(default=6, ge=1, le=50)


class IndexSettings(BaseSettings):
    """All that the indexer needs; the bot's settings extend it."""

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
    sources: tuple[FilesSource, ...] = ()

    @property
    def index_path(self) -> Path:
        return self.data_dir / "index.sqlite"

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
        file = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        return (init_settings, env_settings, file)


def settings_file() -> Path:
    """``lorebot.toml`` in the working directory unless ``LOREBOT_CONFIG`` names another."""
    return Path(os.environ.get("LOREBOT_CONFIG", "lorebot.toml"))


Loaded = TypeVar("Loaded", bound=IndexSettings)


def load(settings_class: type[Loaded], **given: Any) -> Loaded:
    """Read file and environment once; every mistake is named in one IndexSettingsError."""
    if "LOREBOT_CONFIG" in os.environ and not settings_file().is_file():
        raise IndexSettingsError(
            f"LOREBOT_CONFIG names {settings_file()}, which is no file; correct or unset it."
        )
    try:
        return settings_class(**given)
    except ValidationError as error:
        problems = [
            f"  {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise IndexSettingsError(
            f"Settings are wrong ({settings_file()} or LOREBOT_… in the environment):\n"
            + "\n".join(problems)
        ) from None
    except (SettingsError, tomllib.TOMLDecodeError, OSError) as error:
        raise IndexSettingsError(f"{settings_file()} cannot be read: {error}") from None
