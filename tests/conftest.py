"""Hostile by default: no settings from outside, no network but loopback, warnings are errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from bot.records.database import Database
from indexer.embedding.embedder_file import DEFAULT_EMBEDDER
from indexer.embedding.embedding import LlamaCppEmbedding
from tests.services.tiny_model import tiny_model

__all__ = ["tiny_model"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in tuple(os.environ):
        if variable.startswith(("LOREBOT_", "SLACK_")) and "_TEST_" not in variable:
            monkeypatch.delenv(variable)


@pytest.fixture(scope="session")
def cache_dir(pytestconfig: pytest.Config) -> Path:
    """Where the embedder is converted to once, kept between runs."""
    return Path(pytestconfig.cache.mkdir("lorebot"))


@pytest.fixture(scope="session")
def embedding(cache_dir: Path) -> Iterator[LlamaCppEmbedding]:
    """The real embedder, opened once; everything that needs vectors uses it."""
    embedding = LlamaCppEmbedding.find(DEFAULT_EMBEDDER, cache_dir, threads=2)
    yield embedding
    embedding.close()


@pytest.fixture
def empty_postgres() -> str:
    """The address of an emptied Postgres database, or "" where none is given.

    Tests that run at the same time have one each, beside the one that is given.
    """
    url = os.environ.get("LOREBOT_TEST_POSTGRES_URL", "")
    if url:
        if worker := os.environ.get("PYTEST_XDIST_WORKER"):
            url = _beside(url, worker)
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA IF EXISTS dbos CASCADE"))
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    return url


def _beside(url: str, worker: str) -> str:
    """A database of that worker's own on the same server."""
    given = make_url(url)
    name = f"{given.database}_{worker}"
    engine = create_engine(given, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = connection.scalar(
            text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}
        )
        if not known:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return given.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, empty_postgres: str
) -> Iterator[Database]:
    """Records, empty and migrated: on SQLite always, on Postgres where one is given."""
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    if request.param == "postgres":
        url = empty_postgres or pytest.skip("set LOREBOT_TEST_POSTGRES_URL to run this on Postgres")
    database = Database(url)
    yield database
    database.close()
