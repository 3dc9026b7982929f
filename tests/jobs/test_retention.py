"""Every night the bot deletes what is too old, and writes down what it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from dbos import DBOS
from typer.testing import CliRunner

from bot.cli.main import app
from bot.domain.settings import RetentionTable
from bot.jobs.durable import Jobs, State
from bot.jobs.retention import RetentionSchedule
from bot.records.audit import BOT, Act, Audit
from bot.records.database import Database

LONG_AGO = datetime.now(UTC) - timedelta(days=400)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'records.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with closing(Database(url)) as database:
        Audit(database).note(Act("U1", "reindex", at=LONG_AGO))
        yield database


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    with closing(Jobs(f"sqlite:///{tmp_path / 'jobs.sqlite'}")) as jobs:
        yield jobs


def test_night_deletes_what_is_too_old_and_says_so(database: Database, jobs: Jobs) -> None:
    RetentionSchedule(database, RetentionTable(audit_days=365), jobs)
    jobs.launch()
    DBOS.trigger_schedule("retention").get_result()
    (noted,) = Audit(database).newest()
    assert (noted.actor, noted.action) == (BOT, "retention")
    assert "1 acts of admins" in noted.subject


def test_night_with_nothing_to_delete_leaves_no_trace(database: Database, jobs: Jobs) -> None:
    RetentionSchedule(database, RetentionTable(), jobs)
    jobs.launch()
    DBOS.trigger_schedule("retention").get_result()
    assert [act.action for act in Audit(database).newest()] == ["reindex"]


def test_ended_jobs_go_and_running_ones_stay(jobs: Jobs) -> None:
    go_on, began = Event(), Event()

    def work(key: str) -> None:
        if key == "runs":
            began.set()
            assert go_on.wait(30)

    jobs.register("work", work)
    jobs.launch()
    for key in ("one", "two", "runs"):
        jobs.start("work", key)
    assert began.wait(30)
    DBOS.retrieve_workflow("work:one").get_result()
    DBOS.retrieve_workflow("work:two").get_result()
    assert jobs.forget_ended(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert jobs.forget_ended(datetime.now(UTC) + timedelta(hours=1)) == 2
    assert jobs.state("work", "one") is None
    assert jobs.state("work", "runs") is State.RUNNING
    go_on.set()


@pytest.mark.usefixtures("database")
def test_dry_run_only_tells(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREBOT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LOREBOT_RETENTION_AUDIT_DAYS", "365")
    told = CliRunner().invoke(app, ["retention", "--dry-run"])
    assert "Would go: 0 questions" in told.output
    assert "1 acts of admins" in told.output
    assert "Deleted:" in CliRunner().invoke(app, ["retention"]).output
    again = CliRunner().invoke(app, ["retention", "--dry-run"])
    assert "0 acts of admins" in again.output
