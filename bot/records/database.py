"""Opens the records: one engine, migrated to the newest schema before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import RLock

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from bot.domain.errors import RecordsError
from bot.records.engine import READING, cannot_open, open_engine, reason
from bot.records.restore_mark import check_finished

# What the database does, or others in it. What else SQLAlchemy raises is a mistake of ours.
_OF_THE_DATABASE = (DBAPIError, DisconnectionError, ObjectDeletedError, StaleDataError)
_MIGRATING = 5_673_902  # any number, as long as nothing else on the server locks it


class Database:
    """The records' engine. Safe from several threads; each ``session`` is one transaction."""

    def __init__(self, url: str, *, restoring: bool = False) -> None:
        """Connect and migrate. Raises RecordsError where the address or the file is unusable, and
        where a restore has begun and not ended, unless it is this that is ``restoring``.
        """
        self._engine = open_engine(url)
        self._reader = self._engine.execution_options(**{READING: True})
        # Writers that wait for SQLite's lock sleep, longer each time, and the first to wake gets
        # it, not the first to ask: here they queue up.
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
            raise cannot_open(self._engine.url, error) from error

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


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to a revision; rows are kept. Raises CommandError and SQLAlchemyError."""
    config = alembic_config()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # of several that start at once, the others wait
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def alembic_config() -> Config:
    """Of the migrations beside this file; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
