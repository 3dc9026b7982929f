"""A restore that is cut short: nobody is served by half of it, and who was forgotten stays so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from bot.domain.errors import BackupError, LorebotError, RecordsError
from bot.domain.settings import RecordsTable, Settings
from bot.operations.backup import back_up
from bot.operations.restore import restore
from bot.records import postgres_dump
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.inspection import probe
from bot.records.suppression_list import Kind, digest_of
from bot.records.tables import QuestionRow
from tests.records.test_records import ASKED

ROOT = Path(__file__).parents[2]
GONE = replace(ASKED, id="C1:2.5", asker="U0GONE", text="pink elephant")
LATER = replace(ASKED, id="C1:9.9")
KILLED = """
import os, signal, sys
from pathlib import Path
from bot.domain import settings
from bot.operations.restore import restore
from pkgutil import resolve_name

module, name = sys.argv[2].split(":")
setattr(resolve_name(module), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
restore(settings.load(), Path(sys.argv[1]), force=True)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path, empty_postgres: str) -> Settings:
    table = RecordsTable()
    if request.param == "postgres":
        url = empty_postgres or pytest.skip("set LOREBOT_TEST_POSTGRES_URL to run on Postgres")
        table = RecordsTable.model_validate({"url": url})
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", records=table)


@pytest.fixture
def on_server(settings: Settings) -> Settings:
    return settings if settings.records.address else pytest.skip("it is about Postgres")


@pytest.fixture
def archive(settings: Settings, tmp_path: Path) -> Path:
    """Of a person who was forgotten afterwards."""
    with closing(Database(settings.records_url)) as database:
        for question in (ASKED, GONE):
            Answers(database).ask(question)
    path, _ = back_up(settings, tmp_path / "kept.zip")
    with closing(Database(settings.records_url)) as database:
        Forgetting(database).person(GONE.asker)
        Answers(database).ask(LATER)
    return path


def environment(settings: Settings) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("LOREBOT_")}
    return others | {
        "LOREBOT_DATA_DIR": str(settings.data_dir),
        "LOREBOT_RECORDS_URL": settings.records.address,
        "PYTHONPATH": str(ROOT),
    }


def kill_at(place: str, settings: Settings, archive: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(archive), place]
    done = subprocess.run(command, env=environment(settings), cwd=archive.parent, check=False)
    assert done.returncode == -signal.SIGKILL


def pg_restore(folder: Path, script: str) -> None:
    """A program of that name, in a folder of its own."""
    folder.mkdir()
    program = folder / "pg_restore"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)


def with_programs_of(folder: Path, settings: Settings) -> dict[str, str]:
    return environment(settings) | {"PATH": f"{folder}:{os.environ['PATH']}"}


def kept(settings: Settings) -> set[str]:
    with closing(Database(settings.records_url)) as database, database.reading() as session:
        return set(session.scalars(select(QuestionRow.id)))


def of_another_machine(settings: Settings) -> Settings:
    """Which has the same records where they are on a server."""
    if not settings.records.address:
        return settings
    return settings.model_copy(update={"data_dir": settings.data_dir.with_name("another")})


@pytest.mark.parametrize("place", ["_made_ready", "_put", "_end"])
def test_who_was_forgotten_stays_so_where_a_restore_is_killed(
    settings: Settings, archive: Path, place: str
) -> None:
    """Before they are forgotten again, before the files are in place, and at the very end."""
    kill_at(f"bot.operations.restore:{place}", settings, archive)
    restored = restore(of_another_machine(settings), archive, force=True)
    assert restored.forgotten_again == 1
    assert restored.warnings == ()
    assert kept(settings) == {ASKED.id}


def test_who_was_forgotten_stays_so_where_it_is_killed_with_the_database_emptied(
    on_server: Settings, archive: Path, tmp_path: Path
) -> None:
    pg_restore(tmp_path / "bin", "kill -9 $PPID")
    command = [sys.executable, "-m", "bot.cli.main", "restore", str(archive), "--force"]
    done = subprocess.run(
        command, env=with_programs_of(tmp_path / "bin", on_server), cwd=tmp_path, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert restore(of_another_machine(on_server), archive).forgotten_again == 1
    assert kept(on_server) == {ASKED.id}


def test_nobody_opens_records_whose_restore_was_cut_short(
    settings: Settings, archive: Path, tmp_path: Path
) -> None:
    kill_at("bot.operations.restore:_put", settings, archive)
    with pytest.raises(RecordsError, match="restore FILE --force"):
        Database(settings.records_url)
    with pytest.raises(RecordsError, match="has not ended"):
        probe(settings.records_url)
    with pytest.raises(LorebotError):
        back_up(settings, tmp_path / "another.zip")
    restore(settings, archive, force=True)
    assert probe(settings.records_url).exists


def test_records_that_could_not_be_read_are_still_warned_of_after_a_restore_was_killed(
    settings: Settings, archive: Path
) -> None:
    """The second restore finds nothing that it could not read."""
    if settings.records.address:
        pytest.skip("it is about a damaged file")
    (settings.data_dir / "records.sqlite").write_bytes(b"no database at all" * 500)
    kill_at("bot.operations.restore:_put", settings, archive)
    assert "--forgotten" in restore(settings, archive).warnings[0]


def test_archive_tells_who_was_forgotten_while_it_was_made(
    settings: Settings, archive: Path, tmp_path: Path
) -> None:
    """Its records are of the moment before, its list is read when they are copied."""
    told = tmp_path / "told.zip"
    with ZipFile(archive) as old, ZipFile(told, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                digest = digest_of(Kind.PERSON, GONE.asker)
                gone = {"kind": "person", "digest": digest, "at": "2999-01-01T00:00:00Z"}
                content = json.dumps(json.loads(content) | {"forgotten": [gone]}).encode()
            new.writestr(name, content)
    fresh = of_another_machine(settings)
    if settings.records.address:
        postgres_dump.clear(settings.records_url)
    else:
        fresh = settings.model_copy(update={"data_dir": tmp_path / "fresh"})
    assert restore(fresh, told).forgotten_again == 1


def test_interrupted_restore_puts_back_what_was_there(
    on_server: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.operations.restore._made_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(on_server, archive, force=True)
    assert kept(on_server) == {ASKED.id, LATER.id}


def test_interrupted_restore_into_an_empty_database_leaves_it_empty(
    on_server: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    postgres_dump.clear(on_server.records_url)
    monkeypatch.setattr("bot.operations.restore._made_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(on_server, archive)
    assert kept(on_server) == set()


def test_restore_that_is_stopped_puts_back_what_was_there(
    on_server: Settings, archive: Path, tmp_path: Path
) -> None:
    """SIGTERM while pg_restore is at work, which is then at work again to put it back."""
    begun = tmp_path / "begun"
    program = f"[ -e {begun} ] || {{ touch {begun}; exec sleep 60; }}"
    pg_restore(tmp_path / "bin", f'{program}\nexec {shutil.which("pg_restore")} "$@"')
    command = [sys.executable, "-m", "bot.cli.main", "restore", str(archive), "--force"]
    with subprocess.Popen(
        command, env=with_programs_of(tmp_path / "bin", on_server), cwd=tmp_path
    ) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert kept(on_server) == {ASKED.id, LATER.id}


def test_what_could_not_be_put_back_is_named_and_nobody_opens_the_records(
    on_server: Settings, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_restore(tmp_path / "bin", "echo 'no space left' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(BackupError, match=r"replaced-.*records\.pgdump"):
        restore(on_server, archive, force=True)
    monkeypatch.undo()
    with pytest.raises(RecordsError, match="has not ended"):
        Database(on_server.records_url)
    assert restore(of_another_machine(on_server), archive).forgotten_again == 1
