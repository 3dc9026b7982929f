"""The index kept up to date by real jobs, on a real folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.jobs.durable import Jobs
from bot.jobs.index_refresh import APPLICATION, QUEUE, Refreshing
from indexer.index import Index, open_index
from indexer.settings import FilesSource

NEVER = "0 0 1 1 *"


@pytest.fixture
def index(cache_dir: Path, tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "lift.md").write_text("# Lift\n\nIt is inspected in March.\n")
    source = FilesSource(name="notes", path=tmp_path / "pages", audience="public")
    settings = Settings(cache_dir=cache_dir, data_dir=tmp_path, sources=(source,))
    with open_index(settings) as index:
        yield index


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    with closing(Jobs(f"sqlite:///{tmp_path / 'jobs.sqlite'}", application=APPLICATION)) as jobs:
        yield jobs


def read_at(index: Index) -> datetime:
    return index.journal.read()["notes"].finished


def test_a_source_that_was_read_by_a_clock_set_back_since_is_read_again(
    index: Index, jobs: Jobs, tmp_path: Path
) -> None:
    index.sync()
    journal = tmp_path / "syncs.json"
    future = datetime.now(UTC) + timedelta(days=2)
    journal.write_text(journal.read_text().replace(read_at(index).isoformat(), str(future)))
    assert json.loads(journal.read_text())["notes"]["finished"] == str(future)

    refreshing = Refreshing(index, frozenset({"notes"}), jobs, NEVER)
    jobs.launch()
    jobs.work_on(QUEUE)
    refreshing.begin()
    deadline = time.monotonic() + 60
    while read_at(index) > datetime.now(UTC):
        assert time.monotonic() < deadline, "it was not read again"
        time.sleep(0.05)
