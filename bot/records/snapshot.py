"""A database looked at from outside: copied while it is in use, checked, asked what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import RecordsError
from bot.records.database import Database, open_engine
from bot.records.model_tables import ModelVersionRow
from bot.records.reasons import reason
from bot.records.tables import QuestionRow


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model of the registry; ``path`` is as it is kept there, ``bytes`` the file's size."""

    name: str
    path: str
    sha256: str
    bytes: int


def copy_sqlite(path: Path, to: Path) -> None:
    """A copy of one moment in a new file, while others read and write. Raises RecordsError.

    Freed pages, where deleted text might still stand, are not copied.
    """
    with _engine(f"sqlite:///{path}", f"{path} could not be copied") as engine:
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("VACUUM INTO ?", (str(to),))
        finally:
            raw.close()


def check_sqlite(path: Path) -> None:
    """Reads the whole file. Raises RecordsError where it is damaged."""
    failure = f"{path.name} is damaged"
    with _engine(f"sqlite:///{path}", failure) as engine, engine.connect() as connection:
        damage = connection.execute(text("PRAGMA integrity_check(1)")).scalar()
        orphan = connection.execute(text("PRAGMA foreign_key_check")).first()
    if damage != "ok" or orphan:
        raise RecordsError(f"{path.name} is damaged: {damage if damage != 'ok' else orphan}.")


def check_whole(path: Path, mend: str) -> None:
    """A quick look at every page, about a second a gigabyte; a file that is not there is whole.

    Raises RecordsError, with what mends it.
    """
    if not path.exists():
        return
    try:
        failure = f"{path} is damaged"
        with _engine(f"sqlite:///{path}", failure) as engine, engine.connect() as connection:
            damage = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if damage != "ok":
            raise RecordsError(f"{failure}: {str(damage).splitlines()[-1]}.")
    except RecordsError as error:
        raise RecordsError(f"{error} {mend}") from error


def schema_revision(url: str) -> str:
    """The newest migration that a database has seen; "" where none has. Raises RecordsError."""
    with _engine(url, "The records cannot be read") as engine, engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def known_revisions() -> frozenset[str]:
    """Those of this version of Lorebot; an older database is brought to the newest of them."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return frozenset(
        script.revision for script in ScriptDirectory.from_config(config).walk_revisions()
    )


def kept_models(url: str) -> tuple[KeptModel, ...]:
    """The registry's models, of a database of any revision that has them. Raises RecordsError."""
    version = ModelVersionRow
    with _engine(url, "The registry cannot be read") as engine, engine.connect() as connection:
        found = connection.execute(
            select(version.name, version.path, version.sha256, version.size).order_by(version.name)
        )
        return tuple(KeptModel(*row) for row in found)


def look_for_earlier_replies(database: Database) -> int:
    """Let every unfinished question first look whether its thread holds its answer already.

    Restored records do not know what was posted since they were kept. Returns how many there are.
    """
    unfinished = QuestionRow.finished_at.is_(None)
    with database.session() as session:
        session.execute(
            update(QuestionRow)
            .where(unfinished, QuestionRow.reply_attempted_at.is_(None))
            .values(reply_attempted_at=datetime.now(UTC))
        )
        return len(session.scalars(select(QuestionRow.id).where(unfinished)).all())


@contextmanager
def _engine(url: str, failure: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise RecordsError(f"{failure}: {reason(error)}.") from error
    finally:
        engine.dispose()
