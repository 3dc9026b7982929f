"""What only the SQLite store promises: its file, its identity, its memory."""

import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexer.documents import Audience, Chunk, Document, Vectors
from indexer.errors import StoreError, StoreOutdated
from indexer.stores.base import SearchRequest
from indexer.stores.sqlite import SqliteStore

DIMENSION = 16
GROUPS = [Audience.of(f"group:g{number}") for number in range(7)]


def open_store(path: Path, identity: str = "test-embedder") -> SqliteStore:
    return SqliteStore(path, identity, DIMENSION)


def vectors(count: int, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    normalised: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


def put(store: SqliteStore, name: str, rows: Vectors, audience: Audience = GROUPS[0]) -> None:
    document = Document(f"docs:{name}", "docs", name, "", audience)
    chunks = [Chunk(document.id, i, f"{name} text {i}") for i in range(len(rows))]
    store.put(document, chunks, rows)


def nearest(store: SqliteStore, vector: Vectors, reader: Audience, limit: int = 10) -> list[str]:
    found = store.search(SearchRequest("", vector, reader, limit, limit, 1.0))
    return [passage.chunk.id for passage in found]


def integrity(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO word (word, rank) VALUES ('integrity-check', 1)")
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


class TestFile:
    def test_a_file_of_another_identity_is_outdated_and_untouched(self, tmp_path: Path) -> None:
        path = tmp_path / "index.sqlite"
        with closing(open_store(path, "old-embedder")) as store:
            put(store, "one", vectors(1))
        with pytest.raises(StoreOutdated, match="built by old-embedder schema-1, not by new-emb"):
            open_store(path, "new-embedder")
        with closing(open_store(path, "old-embedder")) as store:
            assert list(store.documents()) == ["docs:one"]

    def test_a_database_of_something_else_is_refused_and_untouched(self, tmp_path: Path) -> None:
        path = tmp_path / "index.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE holidays (day TEXT)")
        with pytest.raises(StoreError, match="a database of something else"):
            open_store(path)
        with closing(sqlite3.connect(path)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            assert tables == [("holidays",)]

    @pytest.mark.parametrize("damage", ["garbage", "middle"])
    def test_a_damaged_file_is_a_sentence(self, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "index.sqlite"
        with closing(open_store(path)) as store:
            for number in range(30):
                put(store, f"d{number}", vectors(20, number))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = path.read_bytes()
        garbage = b"garbage!" * 20_000
        path.write_bytes(
            garbage if damage == "garbage" else whole[:8192] + garbage + whole[168192:]
        )
        with (
            pytest.raises(StoreError, match="move it away and run"),
            closing(open_store(path)) as it,
        ):
            it.search(SearchRequest("text", vectors(1)[0], GROUPS[0]))

    def test_a_folder_that_cannot_be_made_is_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("a file where the folder should be")
        with pytest.raises(StoreError, match="LOREBOT_DATA_DIR"):
            open_store(tmp_path / "data" / "index.sqlite")

    def test_words_and_rows_stay_in_step(self, tmp_path: Path) -> None:
        path = tmp_path / "index.sqlite"
        with closing(open_store(path)) as store:
            for number in range(30):
                put(store, f"d{number % 7}", vectors(number % 4, number))
                store.delete(f"docs:d{number % 5}")
                store.set_audience(f"docs:d{number % 3}", GROUPS[number % 7])
        integrity(path)

    def test_a_killed_writer_leaves_whole_documents(self, tmp_path: Path) -> None:
        path = tmp_path / "index.sqlite"
        program = f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parents[3])!r})
            from pathlib import Path
            from tests.indexer.stores.test_sqlite import open_store, put, vectors
            store = open_store(Path(sys.argv[1]))
            number = 0
            while True:
                put(store, f"d{{number % 3}}", vectors(number % 5 + 1))
                number += 1
                print(number, flush=True)
        """
        for _ in range(3):
            writer = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(program), str(path)],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert writer.stdout is not None
            while int(writer.stdout.readline()) < 20:
                pass
            writer.kill()
            writer.communicate()
            integrity(path)
            with closing(open_store(path)) as store:
                listed = store.documents()
                found = nearest(store, vectors(1)[0], GROUPS[0], limit=100)
                assert len(found) == sum(document.chunks for document in listed.values())


class TestMemory:
    def test_the_dense_leg_is_exact_for_every_reader(self, tmp_path: Path) -> None:
        """Against brute force, through puts, deletions, new audiences and compaction."""
        rng = np.random.default_rng(1)
        known: dict[str, tuple[Vectors, Audience]] = {}
        with closing(open_store(tmp_path / "index.sqlite")) as store:
            for step in range(120):
                name = f"d{rng.integers(25)}"
                action = rng.integers(4)
                if action == 0 and name in known:
                    store.delete(f"docs:{name}")
                    del known[name]
                elif action == 1 and name in known:
                    audience = GROUPS[rng.integers(7)]
                    store.set_audience(f"docs:{name}", audience)
                    known[name] = (known[name][0], audience)
                else:
                    rows, audience = vectors(int(rng.integers(1, 6)), step), GROUPS[rng.integers(7)]
                    put(store, name, rows, audience)
                    known[name] = (rows, audience)
                asked = vectors(1, 1000 + step)[0]
                reader = Audience(frozenset().union(*(g.principals for g in GROUPS[step % 7 :])))
                scores = {
                    f"docs:{name}#{i}": float(row @ asked)
                    for name, (rows, audience) in known.items()
                    if audience.admits(reader)
                    for i, row in enumerate(rows)
                }
                best = sorted(scores, key=lambda one: -scores[one])[:10]
                assert nearest(store, asked, reader) == best

    def test_many_small_audiences_are_exact_too(self, tmp_path: Path) -> None:
        rows = vectors(2500)
        with closing(open_store(tmp_path / "index.sqlite")) as store:
            for number in range(1250):
                audience = Audience.of(f"group:own{number}", f"group:half{number % 2}")
                put(store, f"d{number}", rows[2 * number : 2 * number + 2], audience)
            asked = vectors(1, 9)[0]
            reader = Audience.of("group:half0", "group:own7")
            for readers, numbers in (
                (reader, [*range(0, 1250, 2), 7]),
                (Audience.of("group:half0", "group:half1"), list(range(1250))),
            ):
                scores = {
                    f"docs:d{n}#{i}": float(rows[2 * n + i] @ asked)
                    for n in numbers
                    for i in (0, 1)
                }
                best = sorted(scores, key=lambda one: -scores[one])[:10]
                assert nearest(store, asked, readers) == best


class TestPublishing:
    def test_readers_see_the_old_index_or_the_new(self, tmp_path: Path) -> None:
        path = tmp_path / "index.sqlite"
        with closing(open_store(path)) as old, closing(open_store(tmp_path / "new")) as new:
            for number in range(40):
                put(old, f"old{number}", vectors(20))
                put(new, f"new{number}", vectors(20, 1))
            seen: set[tuple[int, int]] = set()
            done = threading.Event()

            def read() -> None:
                while not done.is_set():
                    names = old.documents()
                    seen.add((sum("old" in n for n in names), sum("new" in n for n in names)))
                    found = nearest(old, vectors(1)[0], GROUPS[0], limit=100)
                    assert len({one[5:8] for one in found}) == 1

            reader = threading.Thread(target=read)
            reader.start()
            new.publish(path)
            done.set()
            reader.join()
            assert seen <= {(40, 0), (0, 40)}
            assert nearest(old, vectors(1, 1)[0], GROUPS[0])[0].startswith("docs:new")
        integrity(path)

    def test_a_reader_with_another_embedder_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "index.sqlite"
        with (
            closing(open_store(path, "old-embedder")) as reader,
            closing(open_store(tmp_path / "new", "new-embedder")) as built,
        ):
            put(reader, "one", vectors(1))
            assert nearest(reader, vectors(1)[0], GROUPS[0])
            built.publish(path)
            with pytest.raises(StoreOutdated, match="restart"):
                nearest(reader, vectors(1)[0], GROUPS[0])
            with pytest.raises(StoreOutdated):
                put(reader, "two", vectors(1))
