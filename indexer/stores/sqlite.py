"""The default store: one SQLite file, FTS5 for words, exact vectors in memory."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.stores.base import (
    Frequencies,
    IndexedDocument,
    SearchRequest,
    check_document,
    check_request,
)
from indexer.stores.fusion import fuse
from indexer.stores.matrix import Matrix, Snapshot, View
from indexer.stores.sqlite_file import SqliteFile
from indexer.stores.terms import match_expression, phrase

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

_MOST_VIEWS = 64


class SqliteStore:
    """Documents, chunks, words, vectors and audiences in one file; see the ``Store`` port.

    Good for some 200,000 chunks of one machine. ``identity`` names embedder and chunker: a file
    of another identity raises StoreOutdated. ``dimension`` is the vectors' length.
    """

    def __init__(self, path: Path, identity: str, dimension: int) -> None:
        self._file = SqliteFile(path, identity)
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
        with self._seen_by(request.audience, request.sources) as (connection, view):
            return self._found(connection, view, request)

    def frequencies(
        self, words: Sequence[str], audience: Audience, sources: frozenset[str] = frozenset()
    ) -> Frequencies:
        with self._seen_by(audience, sources) as (connection, view):
            return Frequencies(view.size, {word: _count(connection, word) for word in words})

    def publish(self, path: Path) -> None:
        """Replace the index at ``path`` by this one at once: the last step of a rebuild."""
        self._file.publish(path)

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _seen_by(
        self, reader: Audience, sources: frozenset[str]
    ) -> Iterator[tuple[sqlite3.Connection, View]]:
        """One moment of the index as this reader may see it, in SQL by ``admitted(number)``."""
        while True:
            with self._file.reading() as connection:
                snapshot = self._matrix.at(connection, self._generation(connection))
                # Another thread has read a later commit: look again rather than mix two moments.
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
    """The same words always mean the same readers, so a change of readers is another key."""
    return Audience(frozenset(json.loads(principals)))


def _audience_number(connection: sqlite3.Connection, audience: Audience) -> int:
    principals = json.dumps(audience.sorted())
    connection.execute("INSERT OR IGNORE INTO audience (principals) VALUES (?)", (principals,))
    (number,) = connection.execute(
        "SELECT number FROM audience WHERE principals = ?", (principals,)
    ).fetchone()
    return int(number)


class _Views:
    """What readers may see of the newest snapshot.

    The key is the reader's whole audience and the sources that are searched. Every commit, also
    one that changes only an audience, makes a new snapshot, with which all views are forgotten.
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
            if self._snapshot is not snapshot or len(self._known) >= _MOST_VIEWS:
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
