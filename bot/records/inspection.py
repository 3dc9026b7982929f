"""Inspects a database from outside: copies it, checks it, reads its revision; migrates nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

from bot.domain.database_address import parsed, shown
from bot.domain.errors import RecordsError
from bot.records.database import alembic_config
from bot.records.engine import engine_at
from bot.records.restore_mark import check_finished, mark_beside
from bot.records.tables import ModelVersionRow


@dataclass(frozen=True, slots=True)
class Probe:
    """``place`` is the address without its secrets. ``revision`` is the schema's, "" where there
    is none yet; ``is_known`` says whether this version of Lorebot knows it.
    """

    place: str
    exists: bool
    revision: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model of the registry; ``path`` is as it is kept there, ``bytes`` the file's size."""

    name: str
    path: str
    sha256: str
    bytes: int


def probe(url: str) -> Probe:
    """Whether records are there and whole; nothing is created, migrated or written.

    Raises RecordsError where the address is none, no server answers, the file is damaged, or a
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
    with engine_at(url, place) as engine:
        check_finished(engine)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite" and (damage := _damage(connection)):
                raise RecordsError(f"{place} is damaged: {damage}.")
            revision = _revision(connection)
    is_known = not revision or revision in known_revisions()
    return Probe(place, exists=True, revision=revision, is_known=is_known)


def copy_sqlite(path: Path, to: Path) -> None:
    """A copy of one moment in a new file, while others read and write. Raises RecordsError.

    Freed pages, where deleted text might still stand, are not copied.
    """
    with engine_at(f"sqlite:///{path}", f"{path} could not be copied") as engine:
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("VACUUM INTO ?", (str(to),))
        finally:
            raw.close()


def check_sqlite(path: Path) -> None:
    """Reads the whole file. Raises RecordsError where it is damaged."""
    failure = f"{path.name} is damaged"
    with engine_at(f"sqlite:///{path}", failure) as engine, engine.connect() as connection:
        damage = _damage(connection, "integrity_check")
        orphan = connection.execute(text("PRAGMA foreign_key_check")).first()
    if damage or orphan:
        raise RecordsError(f"{failure}: {damage or orphan}.")


def check_whole(path: Path, mend: str) -> None:
    """A quick look at every page, about a second per gigabyte; a file that is missing is whole.

    Raises RecordsError, with what mends it.
    """
    if not path.exists():
        return
    failure = f"{path} is damaged"
    try:
        with engine_at(f"sqlite:///{path}", failure) as engine, engine.connect() as connection:
            damage = _damage(connection)
        if damage:
            raise RecordsError(f"{failure}: {damage.splitlines()[-1]}.")
    except RecordsError as error:
        raise RecordsError(f"{error} {mend}") from error


def schema_revision(url: str) -> str:
    """The newest migration that a database has seen; "" where none has. Raises RecordsError."""
    with engine_at(url, "The records cannot be read") as engine, engine.connect() as connection:
        return _revision(connection)


def known_revisions() -> frozenset[str]:
    """Those of this version of Lorebot; an older database is brought to the newest of them."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def kept_models(url: str) -> tuple[KeptModel, ...]:
    """The registry's models, of a database of any revision that has them. Raises RecordsError."""
    version = ModelVersionRow
    with engine_at(url, "The registry cannot be read") as engine, engine.connect() as connection:
        found = connection.execute(
            select(version.name, version.path, version.sha256, version.size).order_by(version.name)
        )
        return tuple(KeptModel(*row) for row in found)


def _damage(connection: Connection, check: str = "quick_check") -> str:
    """What SQLite finds first, "" where the file is whole."""
    found = str(connection.execute(text(f"PRAGMA {check}(1)")).scalar())
    return "" if found == "ok" else found


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
