"""kill -9 in the middle of a sync: the next one makes the index equal to a clean one.

``LOREBOT_TEST_KILLS=100`` makes it a hundred moments instead of a few.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.index import open_index
from indexer.settings import FilesSource, IndexSettings

KILLS = int(os.environ.get("LOREBOT_TEST_KILLS", "6"))
PAGES = 24

_SYNC = """
import sys
from pathlib import Path
from indexer.index import open_index
from indexer.settings import FilesSource, IndexSettings

data, cache, folder = map(Path, sys.argv[1:])
source = FilesSource(name="pages", path=folder, audience=("public",))
with open_index(IndexSettings(data_dir=data, cache_dir=cache, sources=(source,))) as index:
    print("begun", flush=True)
    index.sync()
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder before and after: pages changed, added, gone, two alike, one for other readers."""
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    words = random.Random(7)
    for number in range(PAGES):
        text = f"# Page {number}\n\n" + "\n\n".join(
            f"## Part {part}\n\n"
            + " ".join(words.choice(("lamp", "gear", "belt", "crane", "dock")) for _ in range(60))
            for part in range(3)
        )
        (before / f"{number}.md").write_text(text)
        (after / f"{number}.md").write_text(text.replace("lamp", "motor") if number % 2 else text)
    (after / "3.md").unlink()
    (after / "4.md").write_text(
        "---\naudience: [group:staff]\n---\n" + (before / "4.md").read_text()
    )
    shutil.copy(after / "5.md", after / "twin.md")
    for number in range(PAGES, PAGES + 8):
        (after / f"{number}.md").write_text(f"# New {number}\n\nA crane of the dock {number}.\n")
    return before, after


def settings(data: Path, cache: Path, folder: Path) -> IndexSettings:
    source = FilesSource(name="pages", path=folder, audience=("public",))
    return IndexSettings(data_dir=data, cache_dir=cache, sources=(source,))


def contents(data: Path) -> tuple[list[Any], NDArray[np.float32]]:
    """Every row a reader could ever see, and all vectors in the same order."""
    with closing(sqlite3.connect(data / "index.sqlite")) as connection:
        connection.execute("INSERT INTO word (word, rank) VALUES ('integrity-check', 1)")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute(
            "SELECT document.id, digest, principals, title, position, headers, text, value"
            " FROM document JOIN audience ON audience.number = document.audience"
            " JOIN chunk ON chunk.document = document.number"
            " JOIN vector ON vector.chunk = chunk.number ORDER BY document.id, position"
        ).fetchall()
    return [row[:-1] for row in rows], np.array([np.frombuffer(row[-1], "f4") for row in rows])


def test_a_killed_sync_is_completed_by_the_next(
    folders: tuple[Path, Path], cache_dir: Path, tmp_path: Path
) -> None:
    before, after = folders
    with open_index(settings(tmp_path / "clean", cache_dir, after)) as clean:
        clean.sync()
    expected, vectors = contents(tmp_path / "clean")
    base = tmp_path / "base"
    with open_index(settings(base, cache_dir, before)) as index:
        started = time.monotonic()
        index.sync()
        seconds = time.monotonic() - started
    moments = random.Random(1)
    interrupted = 0
    for kill in range(KILLS):
        data = tmp_path / f"data-{kill}"
        shutil.copytree(base, data)
        command = [sys.executable, "-c", _SYNC, str(data), str(cache_dir), str(after)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "begun\n"
            time.sleep(moments.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
            interrupted += process.stdout.read() == ""
        with open_index(settings(data, cache_dir, after)) as index:
            for document in index.store.documents().values():
                assert document.chunks  # no document is ever left without its chunks
            index.sync()
            assert all(report.chunks == 0 for report in index.sync())
        rows, found = contents(data)
        assert rows == expected
        assert np.allclose(found, vectors, atol=1e-3)
        shutil.rmtree(data)
    assert interrupted  # or the moments were all too late to mean anything
