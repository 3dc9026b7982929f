"""Backup and restore of records on Postgres, and what keeps a restore from doing harm."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.domain.errors import BackupError, RecordsError
from bot.domain.settings import RecordsTable, Settings
from bot.operations.archive import RECORDS_DUMP
from bot.operations.backup import back_up
from bot.operations.restore import restore
from bot.records import postgres_dump
from bot.records.answers import Answers
from bot.records.database import Database
from tests.operations.conftest import fill
from tests.records.test_records import ASKED

pytestmark = pytest.mark.postgres
LATER = ASKED.__class__("C1:9.9", "Ev9", "C1", "9.9", "U1", "And now?")


@pytest.fixture
def url(empty_postgres: str) -> str:
    return empty_postgres or pytest.skip("set LOREBOT_TEST_POSTGRES_URL to run this on Postgres")


@pytest.fixture
def settings(url: str, tmp_path: Path, tiny_model: Path) -> Settings:
    records = RecordsTable.model_validate({"url": url})
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path, records=records)
    fill(settings, tiny_model)
    return settings


@pytest.fixture
def archive(settings: Settings, tmp_path: Path) -> Path:
    path, _ = back_up(settings, tmp_path / "kept.zip")
    with closing(Database(settings.records_url)) as database:
        Answers(database).ask(LATER)
    return path


def questions(url: str) -> set[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT id FROM questions")).scalars())
    engine.dispose()
    return found


@pytest.fixture
def another_table(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE payroll (id int)"))
    engine.dispose()


def test_records_and_jobs_come_back_and_what_was_there_is_kept(
    settings: Settings, archive: Path
) -> None:
    url = settings.records_url
    restored = restore(settings, archive, force=True)
    assert questions(url) == {ASKED.id}
    assert restored.replaced is not None
    postgres_dump.restore(url, restored.replaced / RECORDS_DUMP)
    assert questions(url) == {ASKED.id, LATER.id}


def test_restore_is_refused_without_force_and_while_somebody_is_connected(
    settings: Settings, archive: Path
) -> None:
    with pytest.raises(BackupError, match="--force"):
        restore(settings, archive)
    engine = create_engine(settings.records_url)
    with engine.connect(), pytest.raises(RecordsError, match="1 other connections"):
        restore(settings, archive, force=True)
    engine.dispose()
    assert questions(settings.records_url) == {ASKED.id, LATER.id}


@pytest.mark.usefixtures("another_table")
def test_database_of_something_else_is_left_alone(settings: Settings, archive: Path) -> None:
    with pytest.raises(RecordsError, match="payroll"):
        restore(settings, archive, force=True)


def test_what_was_there_is_back_where_the_restore_fails(
    settings: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema of the restored records cannot be brought up to date."""

    def fails(_url: str, *, restoring: bool) -> Database:
        raise RecordsError("The migration failed.")

    monkeypatch.setattr("bot.operations.restore.Database", fails)
    with pytest.raises(BackupError, match="is back in its place"):
        restore(settings, archive, force=True)
    assert questions(settings.records_url) == {ASKED.id, LATER.id}


def test_dump_insists_on_tls_where_the_environment_does(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has none, so whoever insists gets nothing."""
    monkeypatch.setenv("PGSSLMODE", "require")
    with pytest.raises(RecordsError, match="SSL"):
        postgres_dump.dump(settings.records_url, tmp_path / "dump")


def test_missing_client_programs_are_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecordsError, match="postgresql-client"):
        back_up(settings, tmp_path / "another.zip")
    assert not (tmp_path / "another.zip").exists()
