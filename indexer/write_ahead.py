"""SQLite's write-ahead log, switched on by however many open a new file at once."""

from __future__ import annotations

import sqlite3

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

_PRIMARY_CODE = 0xFF  # of an extended result code, https://sqlite.org/rescode.html


def use_write_ahead_log(connection: sqlite3.Connection, patience_seconds: float = 30.0) -> None:
    """Let readers and a writer of this file go on side by side.

    While another connection switches the same file, or is the last to leave it, SQLite says at
    once that it is locked, whatever its timeout (https://sqlite.org/wal.html, section 9): then it
    is asked again. Raises sqlite3.OperationalError when that takes too long.
    """
    for attempt in Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(patience_seconds),
        wait=wait_random(0.01, 0.05),
        reraise=True,
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode = WAL")


def _is_busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return bool(code & _PRIMARY_CODE == sqlite3.SQLITE_BUSY)
