"""A source's memory lasts, forgets, and is never a reason not to read."""

import sqlite3
from pathlib import Path

import pytest

from indexer.errors import SourceError
from indexer.sources.memory import Remembered, SourceMemory

SOMETHING = Remembered("print", "digest", 7.5, "value")


def test_what_is_remembered_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "docs.sqlite"
    with SourceMemory(path) as memory:
        memory.remember("a", Remembered("old", "", 0, ""))
        memory.remember("a", SOMETHING)
    with SourceMemory(path) as memory:
        assert memory.recall("a") == SOMETHING
        assert memory.recall("b") is None


def test_what_has_vanished_is_forgotten_and_leaves_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "docs.sqlite"
    with SourceMemory(path) as memory:
        memory.remember("a", SOMETHING)
        memory.remember("b", Remembered("", "", 0, "a private sentence"))
        memory.forget_all_but({"a", "c"})
        assert memory.recall("a") == SOMETHING
        assert memory.recall("b") is None
    assert b"private sentence" not in path.read_bytes()


@pytest.mark.parametrize("damage", [b"no database" * 100, b""])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "docs.sqlite"
    path.write_bytes(damage)
    with SourceMemory(path) as memory:
        memory.remember("a", SOMETHING)
    with SourceMemory(path) as memory:
        assert memory.recall("a") == SOMETHING


def test_a_memory_of_another_version_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "docs.sqlite"
    with SourceMemory(path) as memory:
        memory.remember("a", SOMETHING)
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with SourceMemory(path) as memory:
        assert memory.recall("a") is None


def test_a_memory_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="make its folder writable"):
        SourceMemory(tmp_path / "file" / "docs.sqlite")
