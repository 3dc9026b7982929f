"""SQLite's write-ahead log: switch it on safely, and delete a database together with its log."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

_PRIMARY_CODE = 0xFF  # of an extended result code, https://sqlite.org/rescode.html


def use_write_ahead_log(connection: sqlite3.Connection, patience_seconds: float = 30.0) -> None:
    """Set ``journal_mode = WAL``, so that readers of this file do not block its writer.

    While another connection switches the same file, or is the last to close it, SQLite reports it
    as locked at once, whatever the timeout (https://sqlite.org/wal.html, section 9): the switch is
    retried for ``patience_seconds``, then raises sqlite3.OperationalError.
    """
    for attempt in Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(patience_seconds),
        wait=wait_random(0.01, 0.05),
        reraise=True,
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode = WAL")


def remove_database(path: Path) -> None:
    """Delete the file, if there is one, with its log; no process may have it open."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _is_busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return bool(code & _PRIMARY_CODE == sqlite3.SQLITE_BUSY)
