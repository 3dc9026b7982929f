"""Postgres that dies, is away, is slow and comes back, under the running bot."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.domain.settings import RecordsTable, Settings
from bot.operations.backup import back_up
from bot.operations.restore import restore
from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, posted, refused_twice
from tests.scenarios.conftest import HELP, answer_to, replies
from tests.scenarios.test_crash import running
from tests.services.postgres import _free_port, _wait, postgres_programs


class Server:
    """A Postgres that may be stopped, as by a power cut, and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = _free_port()
        options = ["--auth=trust", "--username=lorebot", "--encoding=UTF8", "--no-sync"]
        self._run("initdb", f"--pgdata={folder / 'data'}", *options)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://lorebot@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        log = self._folder / "log"
        self._run(
            "pg_ctl", "-D", str(self._folder / "data"), "-l", str(log), "-o", options, "start"
        )
        _wait(self._programs, self.port)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")

    def _run(self, program: str, *options: str) -> None:
        subprocess.run(
            [self._programs / program, *options],
            check=True, user=self._user, cwd="/",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("Postgres is not installed")
    folder = Path(f"/tmp/lorebot-reliability-{os.getpid()}")
    folder.mkdir(mode=0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Server(programs, folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def on_postgres(environment: dict[str, str], server: Server) -> dict[str, str]:
    return environment | {"LOREBOT_RECORDS_URL": server.url}


def test_question_asked_while_postgres_is_down_is_answered_when_it_is_back(
    workspace: Workspace, on_postgres: dict[str, str], server: Server
) -> None:
    with running(on_postgres, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        server.stop()
        ts = posted(workspace)
        workspace.wait_for(lambda: refused_twice(workspace, ts), timeout=120)
        assert not replies(workspace, HELP, ts)
        server.start()
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=180)["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def test_question_in_flight_when_postgres_dies_is_answered_once(
    workspace: Workspace, on_postgres: dict[str, str], server: Server
) -> None:
    with running(on_postgres, workspace):
        workspace.faults.add("users.info", status=429, headers={"Retry-After": "2"})
        ts = posted(workspace)
        workspace.wait_for(
            lambda: any(call.method == "users.info" for call in workspace.calls), timeout=60
        )
        server.stop()
        server.start()
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=180)["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def test_slow_postgres_only_makes_answers_late(
    workspace: Workspace, on_postgres: dict[str, str], server: Server
) -> None:
    """Somebody holds the table of questions for as long as Slack sends the event again."""
    with running(on_postgres, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        engine = create_engine(server.url)
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE questions IN ACCESS EXCLUSIVE MODE"))
            ts = posted(workspace)
            workspace.wait_for(lambda: refused_twice(workspace, ts), timeout=120)
            assert not replies(workspace, HELP, ts)
        engine.dispose()
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=180)["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def test_backup_of_postgres_restores_into_another_database(
    workspace: Workspace, on_postgres: dict[str, str], server: Server, tmp_path: Path
) -> None:
    """Taken in use; refused while connected; what was there is kept; the question is not lost."""
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not on the PATH")
    settings = Settings(
        data_dir=tmp_path / "data", records=RecordsTable.model_validate({"url": server.url})
    )
    with running(on_postgres, workspace):
        first = posted(workspace)
        answer_to(workspace, HELP, first, timeout=120)
        archive, _ = back_up(settings, tmp_path / "kept.zip")
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
    restored = restore(settings, archive, force=True)
    assert restored.replaced is not None
    assert (restored.replaced / "records.pgdump").stat().st_size
    engine = create_engine(server.url)
    with engine.connect() as connection:
        (asked,) = connection.execute(text("SELECT text FROM questions")).scalars()
    engine.dispose()
    assert "meals" in asked
    with running(on_postgres, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        assert len(replies(workspace, HELP, first)) == 1
