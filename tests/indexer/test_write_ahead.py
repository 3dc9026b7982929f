"""A new file that many open at once: SQLite refuses at once, and is asked again."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.write_ahead import use_write_ahead_log


@pytest.fixture
def held(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection that holds a lock, so that nobody else can switch."""
    path = tmp_path / "new.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


def impatient(tmp_path: Path) -> sqlite3.Connection:
    """SQLite's own waiting is off: it answers at once, as it does where two switch together."""
    return sqlite3.connect(tmp_path / "new.sqlite", timeout=0)


def test_it_waits_for_whoever_holds_the_file(tmp_path: Path, held: sqlite3.Connection) -> None:
    leaving = threading.Timer(0.2, held.execute, ("COMMIT",))
    leaving.start()
    with closing(impatient(tmp_path)) as connection:
        use_write_ahead_log(connection)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    leaving.join()


@pytest.mark.usefixtures("held")
def test_it_gives_up_in_the_end(tmp_path: Path) -> None:
    with (
        closing(impatient(tmp_path)) as connection,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        use_write_ahead_log(connection, patience_seconds=0.1)


def test_what_is_no_database_is_not_asked_again(tmp_path: Path) -> None:
    (tmp_path / "new.sqlite").write_bytes(b"garbage!" * 1_000)
    with (
        closing(impatient(tmp_path)) as connection,
        pytest.raises(sqlite3.DatabaseError, match="not a database"),
    ):
        use_write_ahead_log(connection, patience_seconds=1e9)
