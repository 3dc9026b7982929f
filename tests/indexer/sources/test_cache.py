"""A source's cache lasts, forgets, and is never a reason not to read."""

import sqlite3
from pathlib import Path

import pytest

from indexer.errors import SourceError
from indexer.sources.cache import CacheEntry, SourceCache

SOMETHING = CacheEntry("print", "digest", 7.5, "value")


def test_what_is_remembered_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "docs.sqlite"
    with SourceCache(path) as cache:
        cache.put("a", CacheEntry("old", "", 0, ""))
        cache.put("a", SOMETHING)
    with SourceCache(path) as cache:
        assert cache.get("a") == SOMETHING
        assert cache.get("b") is None


def test_what_has_vanished_is_forgotten_and_leaves_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "docs.sqlite"
    with SourceCache(path) as cache:
        cache.put("a", SOMETHING)
        cache.put("b", CacheEntry("", "", 0, "a private sentence"))
        cache.remove_all_but({"a", "c"})
        assert cache.get("a") == SOMETHING
        assert cache.get("b") is None
    assert b"private sentence" not in path.read_bytes()


@pytest.mark.parametrize("damage", [b"no database" * 100, b""])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "docs.sqlite"
    path.write_bytes(damage)
    with SourceCache(path) as cache:
        cache.put("a", SOMETHING)
    with SourceCache(path) as cache:
        assert cache.get("a") == SOMETHING


def test_a_cache_of_another_version_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "docs.sqlite"
    with SourceCache(path) as cache:
        cache.put("a", SOMETHING)
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with SourceCache(path) as cache:
        assert cache.get("a") is None


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="make its folder writable"):
        SourceCache(tmp_path / "file" / "docs.sqlite")
