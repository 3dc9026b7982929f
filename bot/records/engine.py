"""Opens SQLAlchemy engines for the records, and says in one sentence why a database failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from bot.domain.database_address import connect_args, parsed, shown
from bot.domain.errors import RecordsError
from indexer.private_files import make_private_file, make_private_folder
from indexer.write_ahead import use_write_ahead_log

READING = "lorebot_reading"
"""The execution option of transactions that only read."""


def open_engine(url: str) -> Engine:
    """An engine that has not connected yet. Raises RecordsError where the address is none."""
    try:
        address = parsed(url)
        if address.get_backend_name() == "sqlite" and address.database:
            _make_folder(Path(address.database).parent)
        engine = create_engine(address, pool_pre_ping=True, connect_args=connect_args(address))
    except (ArgumentError, ModuleNotFoundError, OSError, ValueError) as error:
        raise RecordsError(
            f"[records] url is no usable database address: {error} Use postgresql+psycopg://… "
            "(pip install 'lorebot[postgres]') or leave it empty for SQLite."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _create_private)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def engine_at(url: str, failure: str = "") -> Iterator[Engine]:
    """An engine that is disposed of when the block ends.

    Raises RecordsError where the address is none, and, with a ``failure`` (the beginning of a
    sentence), in place of what the database raises within the block.
    """
    engine = open_engine(url)
    try:
        yield engine
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        if not failure:
            raise
        raise RecordsError(f"{failure}: {reason(error)}.") from error
    finally:
        engine.dispose()


def reason(error: BaseException) -> str:
    """Why a database call failed, in its driver's own words: the first line, without a full stop.

    Without SQL and its parameters, which may hold private text.
    """
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or ["?"])[0].rstrip(".")


def cannot_open(address: URL, error: BaseException) -> RecordsError:
    """What to raise where records cannot be opened; for callers that have changed nothing."""
    return RecordsError(
        f"The records at {shown(address)} cannot be opened: {reason(error)}. Check [records] url "
        "and that the server or folder is there and writable; nothing was changed."
    )


def _make_folder(folder: Path) -> None:
    """One that is there may be of other use, too, and stays as it is."""
    if not folder.exists():
        make_private_folder(folder)


def _create_private(_dialect: Any, _record: Any, arguments: Any, _named: Any) -> None:
    """Before the driver makes the file: for the umask's sake it would be open to others."""
    path = str(arguments[0]) if arguments else ""
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # the driver says why
            make_private_file(Path(path))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions behind our back
    use_write_ahead_log(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")


def _begin(connection: Connection) -> None:
    """Writers take the lock first: a reader that turns writer late fails instead of waiting."""
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {int(reading)}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
