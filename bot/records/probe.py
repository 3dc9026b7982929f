"""Looking at a records database without opening it: nothing is created, migrated or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.database_address import parsed, shown
from bot.domain.errors import RecordsError
from bot.records.database import open_engine
from bot.records.reasons import reason
from bot.records.unfinished import check_finished, mark_beside


@dataclass(frozen=True, slots=True)
class Probe:
    """``place`` is the address without its secrets. ``revision`` is the schema's, "" where there
    is none yet; ``is_known`` says whether this version of Lorebot knows it.
    """

    place: str
    exists: bool
    revision: str = ""
    is_known: bool = True


def probe(url: str) -> Probe:
    """Raises RecordsError where the address is none, nobody answers, the file is damaged, or a
    restore of it was cut short.
    """
    try:
        address = parsed(url)
    except ValueError as error:
        raise RecordsError(f"[records] url: {error}") from error
    place = shown(address)
    mark = mark_beside(address)
    if mark and not mark.exists() and not Path(address.database or "").exists():
        return Probe(place, exists=False)
    engine = open_engine(url)
    try:
        check_finished(engine)
        return _probe(engine, place)
    except SQLAlchemyError as error:
        raise RecordsError(f"{place}: {reason(error)}") from error
    finally:
        engine.dispose()


def _probe(engine: Engine, place: str) -> Probe:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            damage = connection.execute(text("PRAGMA quick_check(1)")).scalar()
            if damage != "ok":
                raise RecordsError(f"{place} is damaged: {damage}.")
        revision = MigrationContext.configure(connection).get_current_revision() or ""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return Probe(place, exists=True, revision=revision, is_known=not revision or revision in known)
