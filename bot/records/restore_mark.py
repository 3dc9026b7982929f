"""Marks records as being restored: until the restore has ended, no process opens them.

The mark is a file beside SQLite's, or a table in Postgres, so that every machine that shares the
records sees it. It holds what a restore that is run again must know, as text.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import URL, Column, Engine, MetaData, Table, Text, delete, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import RecordsError
from bot.records.engine import cannot_open, reason
from indexer.private_files import open_private

TABLE = "lorebot_unfinished_restore"
FILE = "unfinished-restore.json"
_MARK = Table(TABLE, MetaData(), Column("noted", Text, nullable=False))


def begin(engine: Engine, noted: str) -> None:
    """Leave the mark, in place of an earlier one; it is on the disk before this returns.

    Raises RecordsError.
    """
    try:
        if path := mark_beside(engine.url):
            _write(path, noted)
            return
        with engine.begin() as connection:
            _MARK.create(connection, checkfirst=True)
            connection.execute(delete(_MARK))
            connection.execute(insert(_MARK).values(noted=noted))
    except (OSError, SQLAlchemyError) as error:
        raise RecordsError(
            f"The restore could not begin ({reason(error)}): nothing was changed."
        ) from error


def noted(engine: Engine) -> str | None:
    """What the mark holds; None where there is none. Raises RecordsError."""
    try:
        if path := mark_beside(engine.url):
            return path.read_text(encoding="utf-8") if path.exists() else None
        if not inspect(engine).has_table(TABLE):
            return None
        with engine.connect() as connection:
            return connection.scalar(select(_MARK.c.noted))
    except (OSError, UnicodeDecodeError, SQLAlchemyError) as error:
        raise cannot_open(engine.url, error) from error


def end(engine: Engine) -> None:
    """Remove the mark. Raises RecordsError."""
    try:
        if path := mark_beside(engine.url):
            _synced(path.parent)  # what was moved there comes first
            path.unlink(missing_ok=True)
            return
        with engine.begin() as connection:
            _MARK.drop(connection, checkfirst=True)
    except (OSError, SQLAlchemyError) as error:
        raise RecordsError(
            f"The backup is in place, but the restore could not end ({reason(error)}): mend that, "
            "and run it again with --force."
        ) from error


def check_finished(engine: Engine) -> None:
    """Raises RecordsError where a restore has begun and not ended, or is at work."""
    if noted(engine) is not None:
        raise RecordsError(
            "A restore of these records has not ended. If none is running it was cut short: run "
            "it again, `lorebot restore FILE --force`. What was there before is in "
            "data_dir/replaced-… of the machine that it ran on."
        )


def mark_beside(address: URL) -> Path | None:
    """Where the mark of records in a file lies, if there is one; None for those of a server."""
    if address.get_backend_name() != "sqlite":
        return None
    return Path(address.database or ":memory:").with_name(FILE)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".part")
    with open(unfinished, "w", encoding="utf-8", opener=open_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    _synced(path.parent)


def _synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
