"""The default store: one SQLite file with FTS5 for the lexical leg, exact dense search in memory.

The lexical leg is FTS5's ``bm25()`` (Robertson & Zaragoza 2009, "The Probabilistic Relevance
Framework: BM25 and Beyond") with SQLite's fixed k1 = 1.2 and b = 0.75. It deviates where SQLite
does (https://sqlite.org/fts5.html#the_bm25_function): a term in more than half of the rows counts
next to nothing instead of less than nothing, and document frequencies are those of the whole
index, not of what one audience may read.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from queue import Empty, LifoQueue

import numpy as np

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.errors import StoreError, StoreOutdated
from indexer.private_files import make_private_file, make_private_folder
from indexer.stores.base import (
    Frequencies,
    IndexedDocument,
    SearchRequest,
    check_document,
    check_request,
)
from indexer.stores.fusion import fuse
from indexer.stores.matrix import Matrix, Snapshot, View
from indexer.stores.terms import match_expression, phrase
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

_CONTEXT_WEIGHT = 2.0
_TEXT_WEIGHT = 1.0
# bm25() as an expression, not `ORDER BY rank`: rank scores every match before the filter applies.
_LEXICAL = f"""
SELECT rowid, -bm25(word, {_CONTEXT_WEIGHT}, {_TEXT_WEIGHT}) AS score
FROM word WHERE word MATCH ? AND admitted(rowid) ORDER BY score DESC, rowid LIMIT ?
"""
_PASSAGES = """
SELECT chunk.number, document.id, chunk.position, chunk.text, chunk.headers, document.title,
    document.url, document.modified, audience.principals
FROM chunk JOIN document ON document.number = chunk.document
JOIN audience ON audience.number = document.audience
WHERE chunk.number IN (SELECT value FROM json_each(?))
"""

_MAX_VIEWS = 64


class SqliteStore:
    """Documents, chunks, terms, vectors and audiences in one file; see the ``Store`` port.

    For one machine and up to some 200,000 chunks. ``identity`` names embedder and chunker: a file
    of another identity raises StoreOutdated. ``dimension`` is the number of columns of all vectors.
    """

    def __init__(self, path: Path, identity: str, dimension: int) -> None:
        self._file = _SqliteFile(path, identity)
        self._dimension = dimension
        self._matrix = Matrix(dimension)
        self._views = _Views()

    @property
    def path(self) -> Path:
        return self._file.path

    def documents(self, source: str | None = None) -> Mapping[str, IndexedDocument]:
        query = """
            SELECT document.id, source, digest, audience.principals, chunks
            FROM document JOIN audience ON audience.number = document.audience
            WHERE source = coalesce(?, source) ORDER BY document.id
        """
        with self._file.reading() as connection:
            rows = connection.execute(query, (source,)).fetchall()
        return {
            identifier: IndexedDocument(identifier, name, digest, _audience(principals), chunks)
            for identifier, name, digest, principals, chunks in rows
        }

    def check(self) -> None:
        with self._file.reading() as connection:
            connection.execute("SELECT 1 FROM document LIMIT 1").fetchone()

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        check_document(document, chunks, vectors, self._dimension)
        with self._writing() as connection:
            connection.execute("DELETE FROM document WHERE id = ?", (document.id,))
            audience = _audience_number(connection, document.audience)
            number = connection.execute(
                "INSERT INTO document (id, source, digest, title, url, modified, chunks, audience)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    document.id,
                    document.source,
                    document.digest,
                    document.title,
                    document.url,
                    document.modified.isoformat() if document.modified else None,
                    len(chunks),
                    audience,
                ),
            ).lastrowid
            for chunk, vector in zip(chunks, vectors, strict=True):
                _add_chunk(connection, number, document.title, chunk, vector)

    def set_audience(self, document_id: str, audience: Audience) -> None:
        with self._writing() as connection:
            number = _audience_number(connection, audience)
            connection.execute(
                "UPDATE document SET audience = ? WHERE id = ?", (number, document_id)
            )

    def delete(self, document_id: str) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM document WHERE id = ?", (document_id,))

    def search(self, request: SearchRequest) -> list[Passage]:
        check_request(request, self._dimension)
        with self._visible_to(request.audience, request.sources) as (connection, view):
            return self._found(connection, view, request)

    def frequencies(
        self, words: Sequence[str], audience: Audience, sources: frozenset[str] = frozenset()
    ) -> Frequencies:
        with self._visible_to(audience, sources) as (connection, view):
            return Frequencies(view.size, {word: _count(connection, word) for word in words})

    def publish(self, path: Path) -> None:
        """Replace the index at ``path`` by this one at once: the last step of a rebuild."""
        self._file.publish(path)

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _visible_to(
        self, reader: Audience, sources: frozenset[str]
    ) -> Iterator[tuple[sqlite3.Connection, View]]:
        """One snapshot of what this reader may see, in SQL by ``admitted(chunk.number)``."""
        while True:
            with self._file.reading() as connection:
                snapshot = self._matrix.at(connection, self._generation(connection))
                # Another thread has read a later commit: read again rather than mix the two.
                if snapshot is not None:
                    view = self._views.of(snapshot, reader, sources, connection)
                    connection.create_function("admitted", 1, view.mask.__getitem__)
                    yield connection, view
                    return

    def _found(
        self, connection: sqlite3.Connection, view: View, request: SearchRequest
    ) -> list[Passage]:
        dense = view.nearest(request.vector, request.candidates)
        lexical = _lexical(connection, request)
        scores = fuse(dense, lexical, request.dense_weight)
        best = sorted(scores, key=lambda number: (-scores[number], number))[: request.limit]
        unseen = (number for number in best if number not in dense)
        similarities = {**dense, **view.similarities(request.vector, unseen)}
        top = max(lexical.values(), default=1.0)
        rows = connection.execute(_PASSAGES, (json.dumps(best),))
        passages = [
            _passage(fields, scores[number], similarities[number], lexical.get(number, 0.0) / top)
            for number, *fields in rows
        ]
        readable = [one for one in passages if one.audience.admits(request.audience)]
        return sorted(
            readable, key=lambda one: (-one.score, one.chunk.document_id, one.chunk.position)
        )

    def _generation(self, connection: sqlite3.Connection) -> tuple[str, int]:
        identity, epoch, generation = connection.execute(
            "SELECT identity, epoch, generation FROM state"
        ).fetchone()
        self._file.check_identity(identity)
        return epoch, generation

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._file.writing() as connection:
            self._generation(connection)
            yield connection
            connection.execute("UPDATE state SET generation = generation + 1")


@lru_cache(maxsize=65_536)
def _audience(principals: str) -> Audience:
    """Cached for good: other principals are another key."""
    return Audience(frozenset(json.loads(principals)))


def _audience_number(connection: sqlite3.Connection, audience: Audience) -> int:
    principals = json.dumps(audience.sorted())
    connection.execute("INSERT OR IGNORE INTO audience (principals) VALUES (?)", (principals,))
    (number,) = connection.execute(
        "SELECT number FROM audience WHERE principals = ?", (principals,)
    ).fetchone()
    return int(number)


class _Views:
    """A cache of what each reader may see of the newest snapshot.

    The key is the reader's whole audience and the sources that are searched. Every commit, also
    one that changes only an audience, makes a new snapshot, which empties the cache.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._known: dict[tuple[Audience, frozenset[str]], View] = {}

    def of(
        self,
        snapshot: Snapshot,
        reader: Audience,
        sources: frozenset[str],
        connection: sqlite3.Connection,
    ) -> View:
        with self._lock:
            if self._snapshot is not snapshot or len(self._known) >= _MAX_VIEWS:
                self._snapshot, self._known = snapshot, {}
            known = self._known
        view = known.get((reader, sources))
        if view is None:
            view = snapshot.admitting(_admitted(connection, reader))
            if sources:
                view = view.of_documents(_documents_of(connection, sources))
            known[reader, sources] = view
        return view


def _admitted(connection: sqlite3.Connection, reader: Audience) -> list[int]:
    """The numbers of all audiences that this reader belongs to."""
    return [
        number
        for number, principals in connection.execute("SELECT number, principals FROM audience")
        if _audience(principals).admits(reader)
    ]


def _documents_of(connection: sqlite3.Connection, sources: frozenset[str]) -> list[int]:
    query = "SELECT number FROM document WHERE source IN (SELECT value FROM json_each(?))"
    return [number for (number,) in connection.execute(query, (json.dumps(sorted(sources)),))]


def _add_chunk(
    connection: sqlite3.Connection,
    document: int | None,
    title: str,
    chunk: Chunk,
    vector: Vectors,
) -> None:
    number = connection.execute(
        "INSERT INTO chunk (document, position, headers, context, text) VALUES (?, ?, ?, ?, ?)",
        (document, chunk.position, json.dumps(chunk.headers), chunk.context(title), chunk.text),
    ).lastrowid
    value = np.asarray(vector, np.float32).tobytes()
    connection.execute("INSERT INTO vector VALUES (?, ?)", (number, value))


def _lexical(connection: sqlite3.Connection, request: SearchRequest) -> dict[int, float]:
    expression = match_expression(request.text)
    if not expression:
        return {}
    return dict(connection.execute(_LEXICAL, (expression, request.candidates)).fetchall())


def _count(connection: sqlite3.Connection, word: str) -> int:
    query = "SELECT count(*) FROM word WHERE word MATCH ? AND admitted(rowid)"
    (count,) = connection.execute(query, (phrase(word),)).fetchone()
    return int(count)


def _passage(fields: Sequence[object], score: float, similarity: float, lexical: float) -> Passage:
    document_id, position, text, headers, title, url, modified, principals = fields
    return Passage(
        chunk=Chunk(
            str(document_id), int(str(position)), str(text), tuple(json.loads(str(headers)))
        ),
        title=str(title),
        audience=_audience(str(principals)),
        score=score,
        similarity=similarity,
        lexical=lexical,
        url=str(url),
        modified=datetime.fromisoformat(str(modified)) if modified else None,
    )


class _SqliteFile:
    """A pool of connections to one index file; a connection is used by one thread at a time.

    Raises StoreError for a file that is damaged or no index of ours, StoreOutdated for an index of
    another identity; neither is modified.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = f"{identity} schema-{SCHEMA_VERSION}"
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._open = True
        with self._errors_explained():
            make_private_folder(path.parent)
            make_private_file(path)
        with self.reading() as connection:
            new = self._is_new(connection)
        if new:
            with self.writing() as connection:
                if self._is_new(connection):
                    self._create(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: all of its queries see one snapshot."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, atomic; waits up to 30 seconds for other writers."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def publish(self, path: Path) -> None:
        """Make the index at ``path`` equal to this one in one transaction: readers see old or new.

        By SQLite's backup API, never by renaming: a file renamed over a database that is in use is
        combined with that one's write-ahead log (https://sqlite.org/howtocorrupt.html).
        """
        with (
            self._errors_explained(),
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
        """Whether the file is empty. Raises StoreError for a database that is not ours."""
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
        with self._errors_explained(), self._borrowed() as connection:
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
    def _errors_explained(self) -> Iterator[None]:
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


def _statements(script: str) -> Iterator[str]:
    """One by one, because ``executescript`` would commit the transaction around them."""
    waiting = ""
    for line in script.splitlines():
        waiting += line + "\n"
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""
