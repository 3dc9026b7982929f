"""The index as one SQLite file: its tables, its identity, its connections."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

from indexer.errors import StoreError, StoreOutdated
from indexer.write_ahead import use_write_ahead_log

SCHEMA_VERSION = 1
_APPLICATION = 0x4C4F5245  # "LORE"
_BUSY_SECONDS = 30.0
_TABLES = """
CREATE TABLE state (identity TEXT, epoch TEXT, generation INTEGER);
CREATE TABLE audience (number INTEGER PRIMARY KEY, principals TEXT UNIQUE);
CREATE TABLE document (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, source TEXT, digest TEXT,
    title TEXT, url TEXT, modified TEXT, chunks INTEGER,
    audience INTEGER REFERENCES audience (number)
);
CREATE TABLE chunk (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER REFERENCES document (number) ON DELETE CASCADE,
    position INTEGER, headers TEXT, context TEXT, text TEXT
);
CREATE INDEX chunk_of_document ON chunk (document);
CREATE TABLE vector (
    chunk INTEGER PRIMARY KEY REFERENCES chunk (number) ON DELETE CASCADE, value BLOB
);
CREATE VIRTUAL TABLE word USING fts5 (
    context, text, content = 'chunk', content_rowid = 'number', tokenize = 'porter unicode61'
);
CREATE TRIGGER chunk_added AFTER INSERT ON chunk BEGIN
    INSERT INTO word (rowid, context, text) VALUES (new.number, new.context, new.text);
END;
CREATE TRIGGER chunk_removed AFTER DELETE ON chunk BEGIN
    INSERT INTO word (word, rowid, context, text)
    VALUES ('delete', old.number, old.context, old.text);
END;
"""


class SqliteFile:
    """Connections to one index, lent to one thread at a time.

    Raises StoreError for a file that is damaged or something else, StoreOutdated for an index of
    another identity; neither is touched.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = f"{identity} schema-{SCHEMA_VERSION}"
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._open = True
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
        with self.reading() as connection:
            new = self._is_new(connection)
        if new:
            with self.writing() as connection:
                if self._is_new(connection):
                    self._create(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot: everything read in it is of the same moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; waits for other writers."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def publish(self, path: Path) -> None:
        """Make the index at ``path`` equal to this one in one transaction: readers see old or new.

        Never by renaming: a database renamed over another that is in use meets its journal.
        """
        with (
            self._explained(),
            closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as target,
            self._borrowed() as source,
        ):
            source.backup(target)

    def close(self) -> None:
        self._open = False
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def check_identity(self, identity: str) -> None:
        if identity != self.identity:
            raise StoreOutdated(
                f"The index {self.path} was built by {identity}, not by {self.identity}; "
                "run `lorebot-index sync` to rebuild it and restart what has it open."
            )

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Whether there is nothing yet; something that is not ours is an error."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == _APPLICATION:
            self.check_identity(*connection.execute("SELECT identity FROM state").fetchone())
        elif tables:
            raise StoreError(
                f"{self.path} is a database of something else; "
                "move it away or set LOREBOT_DATA_DIR."
            )
        return bool(application != _APPLICATION)

    def _create(self, connection: sqlite3.Connection) -> None:
        for statement in _statements(_TABLES):
            connection.execute(statement)
        connection.execute("INSERT INTO state VALUES (?, ?, 0)", (self.identity, uuid.uuid4().hex))
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._borrowed() as connection:
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        if not self._open:
            raise StoreError(f"The index {self.path} is closed.")
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connect()
        try:
            yield connection
        finally:
            if self._open:
                self._idle.put(connection)
            else:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            use_write_ahead_log(connection, _BUSY_SECONDS)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"The index {self.path} cannot be used ({error}); check that the folder is "
                "writable, has free space, and that no other program holds the file."
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} is damaged or no index ({error}); "
                "move it away and run `lorebot-index sync` to build a new one."
            ) from error
        except OSError as error:
            raise StoreError(
                f"The index {self.path} cannot be made ({error.strerror}); set LOREBOT_DATA_DIR."
            ) from error


def remove_database(path: Path) -> None:
    """The file with its journals, if there is one; nobody may have it open."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _statements(script: str) -> Iterator[str]:
    """``executescript`` would commit on its own."""
    waiting = ""
    for line in script.splitlines():
        waiting += line + "\n"
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""
