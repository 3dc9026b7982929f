"""Opening the records: one engine, migrated to the newest schema before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from bot.domain.database_address import connect_args, parsed, shown
from bot.domain.errors import RecordsError
from bot.records.reasons import reason
from bot.records.unfinished import check_finished
from indexer.write_ahead import use_write_ahead_log

# What the database does, or others in it. What else SQLAlchemy raises is a mistake of ours.
_OF_THE_DATABASE = (DBAPIError, DisconnectionError, ObjectDeletedError, StaleDataError)
_READING = "lorebot_reading"
_MIGRATING = 5_673_902  # any number, as long as nothing else on the server locks it


class Database:
    """The records' engine. Safe from several threads; each ``session`` is one transaction."""

    def __init__(self, url: str, *, restoring: bool = False) -> None:
        """Connect and migrate. Raises RecordsError where the address or the file is unusable, and
        where a restore has begun and not ended, unless it is this that is ``restoring``.
        """
        self._engine = open_engine(url)
        self._reader = self._engine.execution_options(**{_READING: True})
        # SQLite lets those who wait for its write lock sleep, longer each time, and then serves
        # whoever wakes first: here they queue up.
        self._writing: AbstractContextManager[object] = (
            RLock() if self._engine.dialect.name == "sqlite" else nullcontext()
        )
        try:
            if not restoring:
                check_finished(self._engine)
            migrate(self._engine)
        except RecordsError:
            self._engine.dispose()
            raise
        except (SQLAlchemyError, CommandError) as error:
            self._engine.dispose()
            raise RecordsError(
                f"The records at {shown(self._engine.url)} cannot be opened: {reason(error)}. "
                "Check [records] url and that the server or folder is there and writable; "
                "nothing was changed."
            ) from error

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on any error. Not within another."""
        with self._writing, _transaction(self._engine) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads, and waits for no writer; SQLite refuses to write in it."""
        with _transaction(self._reader) as session:
            yield session

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def _transaction(engine: Engine) -> Iterator[Session]:
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except NoConnectionFree as error:
        raise RecordsError(
            "The records are busy: no connection to the database came free in time. Look what "
            "holds the database up, and try again."
        ) from error
    except _OF_THE_DATABASE as error:
        raise RecordsError(
            f"The records could not be read or written: {reason(error)}. "
            "Check the disk's free space or the database server."
        ) from error


def open_engine(url: str) -> Engine:
    """Connects to nothing yet. Raises RecordsError where the address is none."""
    try:
        address = parsed(url)
        if address.get_backend_name() == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, pool_pre_ping=True, connect_args=connect_args(address))
    except (ArgumentError, ModuleNotFoundError, OSError, ValueError) as error:
        raise RecordsError(
            f"[records] url is no usable database address: {error} Use postgresql+psycopg://… "
            "(pip install 'lorebot[postgres]') or leave it empty for SQLite."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def engine_at(url: str) -> Iterator[Engine]:
    """Nothing is connected any more when the block ends. Raises RecordsError for no address."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions behind our back
    use_write_ahead_log(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")


def _begin(connection: Connection) -> None:
    """Writers take the lock first: a reader that turns writer late fails instead of waiting."""
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {int(reading)}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to a revision; rows are kept."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # of several that start at once, the others wait
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
