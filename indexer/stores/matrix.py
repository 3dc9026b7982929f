"""Exact dense search over all vectors in memory, kept current with the SQLite file's commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.documents import Vectors

Numbers = NDArray[np.int64]
_DEAD = 0
_MAX_DEAD_SHARE = 0.25
_MAX_RUNS = 1000
_NO_ROWS = np.empty(0, np.int64)
_NO_SCORES = np.empty(0, np.float32)
_GROWTH = 1.25


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The vectors of one generation of the index; immutable.

    ``vectors`` is float32, shape (n_rows, dimension), rows L2-normalised. Row i is chunk
    ``chunks[i]`` of ``documents[i]``, for the audience ``audiences[i]`` (0: the row is deleted). A
    run is a sequence of rows with one audience; rows are sorted so that there are few runs.
    """

    generation: tuple[str, int]
    vectors: Vectors
    chunks: Numbers
    documents: Numbers
    audiences: Numbers
    run_starts: Numbers

    @classmethod
    def of(
        cls,
        generation: tuple[str, int],
        vectors: Vectors,
        chunks: Numbers,
        documents: Numbers,
        audiences: Numbers,
    ) -> Snapshot:
        starts = np.flatnonzero(np.diff(audiences, prepend=-1))
        return cls(generation, vectors, chunks, documents, audiences, starts)

    def admitting(self, audiences: Iterable[int]) -> View:
        """A view of the rows of these audiences; it gives access to no others."""
        admits = np.isin(self.audiences[self.run_starts], np.fromiter(audiences, np.int64))
        ends = np.append(self.run_starts[1:], len(self.audiences))
        runs = tuple(zip(self.run_starts[admits], ends[admits], strict=True))
        rows = np.concatenate([np.arange(start, end) for start, end in runs] or [_NO_ROWS])
        return View(self, runs, rows, self.mask(rows))

    def mask(self, rows: Numbers) -> bytes:
        """One byte per chunk number: 1 for the chunks in these rows, 0 for all others."""
        mask = np.zeros(self.chunks.max(initial=0) + 1, np.bool_)
        mask[self.chunks[rows]] = True
        return mask.tobytes()


@dataclass(frozen=True, slots=True)
class View:
    """The rows of a snapshot that one reader may see.

    ``runs`` are ``rows`` as pairs of start and end; ``mask`` is the snapshot's mask of them.
    """

    snapshot: Snapshot
    runs: tuple[tuple[int, int], ...]
    rows: Numbers
    mask: bytes

    @property
    def size(self) -> int:
        """The number of chunks."""
        return len(self.rows)

    def of_documents(self, documents: Iterable[int]) -> View:
        """The part of this view in these documents; never a row that is not in this view."""
        wanted = np.isin(self.snapshot.documents[self.rows], np.fromiter(documents, np.int64))
        rows = self.rows[wanted]
        stretches = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if len(rows) else []
        runs = tuple((int(each[0]), int(each[-1]) + 1) for each in stretches)
        return View(self.snapshot, runs, rows, self.snapshot.mask(rows))

    def nearest(self, vector: Vectors, count: int) -> dict[int, float]:
        """Chunk number → cosine with ``vector``, of the ``count`` most similar chunks, best first.

        Exact: every row of the view is compared, and no other.
        """
        rows = self.rows
        scores = self._scores(vector, rows)
        if len(rows) > count:
            best = np.argpartition(-scores, count)[:count]
            rows, scores = rows[best], scores[best]
        chunks = self.snapshot.chunks[rows]
        order = np.lexsort((chunks, -scores))
        return dict(zip(chunks[order].tolist(), scores[order].tolist(), strict=True))

    def similarities(self, vector: Vectors, chunks: Iterable[int]) -> dict[int, float]:
        """Chunk number → cosine with ``vector``, of these chunks."""
        rows = np.flatnonzero(np.isin(self.snapshot.chunks, np.fromiter(chunks, np.int64)))
        scores = _similarity(self.snapshot.vectors[rows], vector)
        return dict(zip(self.snapshot.chunks[rows].tolist(), scores.tolist(), strict=True))

    def _scores(self, vector: Vectors, rows: Numbers) -> Vectors:
        vectors = self.snapshot.vectors
        if len(self.runs) > _MAX_RUNS:
            return _similarity(vectors, vector)[rows]
        parts = [_similarity(vectors[start:end], vector) for start, end in self.runs]
        return np.concatenate(parts or [_NO_SCORES])


class Matrix:
    """The newest snapshot, updated by reading only what has been committed since.

    Rows are appended to a buffer that older snapshots share: they use its beginning only.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._lock = threading.Lock()
        self._buffer: Vectors = np.empty((0, dimension), np.float32)
        self._snapshot: Snapshot | None = None

    def at(self, connection: sqlite3.Connection, generation: tuple[str, int]) -> Snapshot | None:
        """The snapshot that ``connection``, in a transaction, sees; None if memory is newer."""
        with self._lock:
            known = self._snapshot
            if known is None or known.generation[0] != generation[0]:
                self._snapshot = self._load_all(connection, generation)
            elif known.generation[1] > generation[1]:
                return None
            elif known.generation[1] < generation[1]:
                self._snapshot = self._load_new(connection, generation, known)
            return self._snapshot

    def _load_all(self, connection: sqlite3.Connection, generation: tuple[str, int]) -> Snapshot:
        """Everything from the file, sorted by audience."""
        chunks, documents = _columns(connection, _CHUNKS, -1)
        audiences = _audience_per_row(documents, *_columns(connection, _DOCUMENTS))
        order = np.lexsort((chunks, audiences))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self._buffer = np.empty((int(len(order) * _GROWTH), self._dimension), np.float32)
        self._fill(connection, -1, place)
        vectors = self._buffer[: len(order)]
        return Snapshot.of(generation, vectors, chunks[order], documents[order], audiences[order])

    def _load_new(
        self, connection: sqlite3.Connection, generation: tuple[str, int], known: Snapshot
    ) -> Snapshot:
        """The known rows with their current audiences, deleted ones marked, and the new rows.

        A document that is written again gets a higher number, so the numbers tell which are new.
        """
        newest = int(known.documents.max(initial=-1))
        new_chunks, new_documents = _columns(connection, _CHUNKS, newest)
        chunks = np.concatenate((known.chunks, new_chunks))
        documents = np.concatenate((known.documents, new_documents))
        audiences = _audience_per_row(documents, *_columns(connection, _DOCUMENTS))
        if np.count_nonzero(audiences == _DEAD) > _MAX_DEAD_SHARE * len(audiences):
            return self._load_all(connection, generation)
        self._make_room(len(chunks), len(known.chunks))
        self._fill(connection, newest, np.arange(len(known.chunks), len(chunks)))
        return Snapshot.of(generation, self._buffer[: len(chunks)], chunks, documents, audiences)

    def _make_room(self, size: int, used: int) -> None:
        if size > len(self._buffer):
            larger = np.empty((int(size * _GROWTH), self._dimension), np.float32)
            larger[:used] = self._buffer[:used]
            self._buffer = larger

    def _fill(self, connection: sqlite3.Connection, newest: int, places: Numbers) -> None:
        vectors = connection.execute(_VECTORS, (newest,))
        for place, (value,) in zip(places.tolist(), vectors, strict=True):
            self._buffer[place] = np.frombuffer(value, np.float32)


_CHUNKS = "SELECT number, document FROM chunk WHERE document > ? ORDER BY number"
_VECTORS = """
SELECT vector.value FROM chunk JOIN vector ON vector.chunk = chunk.number
WHERE chunk.document > ? ORDER BY chunk.number
"""
_DOCUMENTS = "SELECT number, audience FROM document ORDER BY number"


def _similarity(vectors: Vectors, vector: Vectors) -> Vectors:
    """Cosines of unit vectors, on one thread: BLAS's threads spin, slow beside other work."""
    scores: Vectors = np.vecdot(vectors, vector)
    return scores


def _columns(connection: sqlite3.Connection, query: str, *values: int) -> tuple[Numbers, Numbers]:
    """The two integer columns of a query."""
    rows = np.array(connection.execute(query, values).fetchall(), np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _audience_per_row(documents: Numbers, alive: Numbers, audiences: Numbers) -> Numbers:
    """The audience of each row's document, 0 where that document has been deleted."""
    if not len(alive):
        return np.zeros_like(documents)
    index = np.minimum(np.searchsorted(alive, documents), len(alive) - 1)
    return np.where(alive[index] == documents, audiences[index], _DEAD)
