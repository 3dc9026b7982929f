"""Hybrid search for one reader among 100,000 chunks, beside a plain SQLite and numpy prototype.

Run with ``make bench NAME=search_100k``. Both search the same made-up text and clustered vectors,
each chunk for one or two of 50 groups, the reader in five. The last line is one JSON object:
``ratio`` is our median time over the prototype's; ``recall`` is that of our first ten against a
fusion of the same two legs without any index: every match and every cosine computed and sorted.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.stores.base import SearchRequest
from indexer.stores.fusion import fuse
from indexer.stores.sqlite import SqliteStore
from indexer.stores.terms import match_expression
from tests.benchmarks.generated import ZipfWords, clustered_vectors, near
from tests.benchmarks.timing import in_turns, milliseconds

DIMENSION, WORDS, CHUNKS_OF_A_DOCUMENT, GROUPS = 384, 100, 10, 50
LIMIT, CANDIDATES = 10, 30


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    vector: Vectors
    groups: tuple[str, ...]


class Prototype:
    """What one writes in an afternoon: FTS5, a table of audiences, a matrix, a mask."""

    def __init__(
        self, path: Path, texts: Sequence[str], vectors: Vectors, groups: Sequence[Sequence[str]]
    ) -> None:
        self._matrix = vectors
        self._connection = sqlite3.connect(path)
        self._connection.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE chunk (id INTEGER PRIMARY KEY, text TEXT);
            CREATE TABLE audience (
                principal TEXT, id INTEGER, PRIMARY KEY (principal, id)
            ) WITHOUT ROWID;
            CREATE INDEX audience_of ON audience (id);
            CREATE VIRTUAL TABLE fts USING fts5 (
                text, content = 'chunk', content_rowid = 'id', tokenize = 'porter unicode61'
            );
            """
        )
        self._connection.executemany("INSERT INTO chunk VALUES (?, ?)", enumerate(texts))
        self._connection.executemany(
            "INSERT INTO audience VALUES (?, ?)",
            ((group, number) for number, all_ in enumerate(groups) for group in all_),
        )
        self._connection.execute("INSERT INTO fts (fts) VALUES ('rebuild')")
        self._connection.execute("ANALYZE")
        self._connection.commit()

    def search(self, query: Query) -> list[tuple[int, str]]:
        marks = ",".join("?" * len(query.groups))
        readable = f"SELECT id FROM audience WHERE principal IN ({marks})"
        mask = np.zeros(len(self._matrix), np.bool_)
        mask[[number for (number,) in self._connection.execute(readable, query.groups)]] = True
        scores = np.where(mask, self._matrix @ query.vector, -np.inf)
        best = np.argpartition(-scores, CANDIDATES)[:CANDIDATES]
        dense = dict(zip(best.tolist(), scores[best].tolist(), strict=True))
        lexical = dict(
            self._connection.execute(
                f"SELECT rowid, -rank FROM fts WHERE fts MATCH ? AND +rowid IN ({readable}) "
                "ORDER BY rank LIMIT ?",
                (match_expression(query.text), *query.groups, CANDIDATES),
            )
        )
        fused = fuse(dense, lexical, 0.5)
        first = sorted(fused, key=lambda number: -fused[number])[:LIMIT]
        return [
            self._connection.execute("SELECT id, text FROM chunk WHERE id = ?", (one,)).fetchone()
            for one in first
        ]

    def close(self) -> None:
        self._connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    arguments = parser.parse_args()
    zipf = ZipfWords()
    texts = list(zipf.texts(arguments.chunks, WORDS))
    vectors = clustered_vectors(arguments.chunks, DIMENSION)
    groups = _groups(arguments.chunks)
    queries = _queries(arguments.queries, texts, vectors, zipf.common(100))
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "ours.sqlite", "benchmark", DIMENSION)) as store,
    ):
        start = time.perf_counter()
        _fill(store, texts, vectors, groups)
        print(f"Ours is filled after {time.perf_counter() - start:.0f} s.")
        start = time.perf_counter()
        theirs = Prototype(Path(folder) / "theirs.sqlite", texts, vectors, groups)
        print(f"The prototype is filled after {time.perf_counter() - start:.0f} s.")
        with closing(theirs):
            _warm(store, theirs, queries)
            ours, prototype = in_turns(
                len(queries),
                lambda number: _search(store, queries[number]),
                lambda number: theirs.search(queries[number]),
            )
        recall = _recall(store, vectors, groups, queries)
    result = {
        "ratio": round(milliseconds(ours) / milliseconds(prototype), 3),
        "recall": recall,
        "ours_p50_ms": milliseconds(ours),
        "prototype_p50_ms": milliseconds(prototype),
        "ours_p95_ms": round(1000 * float(np.quantile(ours, 0.95)), 1),
        "prototype_p95_ms": round(1000 * float(np.quantile(prototype, 0.95)), 1),
        "chunks": arguments.chunks,
        "queries": len(queries),
    }
    print(json.dumps(result))


def _groups(chunks: int) -> list[tuple[str, ...]]:
    """By chunk; all of a document's are for one group, every fifth document's for one more."""
    chance = np.random.default_rng(19)
    names: list[tuple[str, ...]] = []
    for document in range(-(-chunks // CHUNKS_OF_A_DOCUMENT)):
        picked = chance.choice(GROUPS, size=2 if document % 5 == 0 else 1, replace=False)
        names += [tuple(f"group:{number}" for number in picked)] * CHUNKS_OF_A_DOCUMENT
    return names[:chunks]


def _queries(
    count: int, texts: Sequence[str], vectors: Vectors, common: frozenset[str]
) -> list[Query]:
    """Five of a chunk's words, none of them very common, and a vector near the chunk's."""
    chance = np.random.default_rng(23)
    queries = []
    for source in chance.integers(len(texts), size=count):
        words = [word for word in texts[source].split() if word not in common]
        readers = chance.choice(GROUPS, size=5, replace=False)
        queries.append(
            Query(
                " ".join(chance.choice(words, size=5, replace=False)),
                near(vectors[source], chance),
                tuple(f"group:{number}" for number in readers),
            )
        )
    return queries


def _fill(
    store: SqliteStore, texts: Sequence[str], vectors: Vectors, groups: Sequence[Sequence[str]]
) -> None:
    for first in range(0, len(texts), CHUNKS_OF_A_DOCUMENT):
        identifier = f"d{first // CHUNKS_OF_A_DOCUMENT}"
        document = Document(identifier, "made-up", "", "", Audience.of(*groups[first]))
        pieces = texts[first : first + CHUNKS_OF_A_DOCUMENT]
        chunks = [Chunk(identifier, position, text) for position, text in enumerate(pieces)]
        store.put(document, chunks, vectors[first : first + len(chunks)])


def _search(store: SqliteStore, query: Query) -> list[Passage]:
    reader = Audience.of(*query.groups)
    return store.search(SearchRequest(query.text, query.vector, reader, LIMIT, CANDIDATES))


def _warm(store: SqliteStore, theirs: Prototype, queries: Sequence[Query]) -> None:
    """The first search reads the vectors from the file."""
    for query in queries[:5]:
        _search(store, query)
        theirs.search(query)


def _recall(
    store: SqliteStore, vectors: Vectors, groups: Sequence[Sequence[str]], queries: Sequence[Query]
) -> float:
    """Of our first ten, the share that the fusion without any index has; a leak ends the run."""
    found = 0
    wanted = 0
    with closing(sqlite3.connect(store.path)) as connection:
        for query in queries:
            passages = _search(store, query)
            ours = {_number(passage.chunk) for passage in passages}
            if any(set(groups[one]).isdisjoint(query.groups) for one in ours):
                raise SystemExit("A search showed what its reader may not see.")
            exact = _exact(connection, vectors, groups, query)
            found += len(ours & exact)
            wanted += len(exact)
    return round(found / wanted, 4)


def _exact(
    connection: sqlite3.Connection,
    vectors: Vectors,
    groups: Sequence[Sequence[str]],
    query: Query,
) -> set[int]:
    readable = [one for one, all_ in enumerate(groups) if not set(all_).isdisjoint(query.groups)]
    cosines = vectors[readable].astype(np.float64) @ query.vector.astype(np.float64)
    dense = _first(dict(zip(readable, cosines.tolist(), strict=True)))
    matches = connection.execute(
        "SELECT document.id, chunk.position, -bm25(word, 2.0, 1.0) FROM word "
        "JOIN chunk ON chunk.number = word.rowid JOIN document ON document.number = chunk.document "
        "WHERE word MATCH ?",
        (match_expression(query.text),),
    )
    scores = {
        _number(Chunk(document, position, "")): score for document, position, score in matches
    }
    allowed = set(readable)
    lexical = _first({one: score for one, score in scores.items() if one in allowed})
    fused = fuse(dense, lexical, 0.5)
    return set(sorted(fused, key=lambda one: (-fused[one], one))[:LIMIT])


def _first(scores: dict[int, float]) -> dict[int, float]:
    order = sorted(scores, key=lambda one: (-scores[one], one))[:CANDIDATES]
    return {one: scores[one] for one in order}


def _number(chunk: Chunk) -> int:
    return int(chunk.document_id[1:]) * CHUNKS_OF_A_DOCUMENT + chunk.position


if __name__ == "__main__":
    main()
