"""Dumps a Postgres database to a file and restores it, with pg_dump and pg_restore."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sqlalchemy import inspect, make_url, text

from bot.domain.database_address import password_of, without_password
from bot.domain.errors import RecordsError
from bot.domain.settings import environment_of_others
from bot.records.engine import engine_at
from bot.records.restore_mark import TABLE as _MARK
from bot.records.tables import Base

_JOBS = "dbos"
_VERSION = "alembic_version"
_UNREADABLE = "The database cannot be read"
_WAIT = {"PGCONNECT_TIMEOUT": "20"}


def dump(url: str, to: Path) -> None:
    """Records and jobs as they are at one moment, while they are in use. Raises RecordsError.

    The mark of a restore is not among them: it tells of this database, not of what is in it.
    """
    _run(
        "pg_dump", url, "--format=custom", "--no-owner", "--no-privileges",
        f"--exclude-table={_MARK}", f"--file={to}",
    )  # fmt: skip


def restore(url: str, file: Path) -> None:
    """Put a dump in place of records and jobs, all of it or nothing.

    Raises RecordsError; then the database is as it was, or empty where it says so.
    """
    clear(url)
    _run(
        "pg_restore", url, "--single-transaction", "--exit-on-error", "--no-owner",
        "--no-privileges", str(file),
    )  # fmt: skip


def check_alone(url: str) -> None:
    """Raises RecordsError where others are connected, or other programs keep tables there."""
    with engine_at(url, _UNREADABLE) as engine, engine.connect() as connection:
        others = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        tables = set(inspect(connection).get_table_names())
    if others:
        raise RecordsError(
            f"{others} other connections use the database: stop every bot and worker first; "
            "nothing was changed."
        )
    if foreign := sorted(tables - set(Base.metadata.tables) - {_VERSION, _MARK}):
        raise RecordsError(
            f"The database also holds tables of something else ({', '.join(foreign)}): restore "
            "into one of Lorebot's own; nothing was changed."
        )


def has_records(url: str) -> bool:
    """Whether records of any revision are there. Raises RecordsError."""
    with engine_at(url, _UNREADABLE) as engine:
        return inspect(engine).has_table(_VERSION)


def clear(url: str) -> None:
    """Drop all tables by name, so that none of a newer revision is left.

    The mark of a restore stays. Raises RecordsError; then nothing was changed.
    """
    failure = "The database cannot be emptied"
    with engine_at(url, failure) as engine, engine.begin() as connection:
        for table in (*Base.metadata.tables, _VERSION):
            connection.execute(text(f'DROP TABLE IF EXISTS "{table}" CASCADE'))
        connection.execute(text(f"DROP SCHEMA IF EXISTS {_JOBS} CASCADE"))


def _run(program: str, url: str, *options: str) -> None:
    """The password goes by the environment of the child: every user can read its arguments.

    What else the environment tells libpq, such as how to use TLS, is as true of it as of the bot.
    """
    found = shutil.which(program)
    if found is None:
        raise RecordsError(
            f"Records on Postgres need {program}, which is not on the PATH: install the client "
            "programs (package postgresql-client) of the server's version or a newer one."
        )
    address = make_url(url)
    target = without_password(address).set(drivername="postgresql")
    password = password_of(address)
    done = subprocess.run(  # noqa: S603 - the program was found on the PATH, nothing is a shell's
        [found, f"--dbname={target.render_as_string(hide_password=False)}", *options],
        env=_WAIT | environment_of_others() | ({"PGPASSWORD": password} if password else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RecordsError(f"{program} failed: {said[-1] if said else done.returncode}")
