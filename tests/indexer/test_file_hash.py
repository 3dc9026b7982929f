"""There is one way to hash a file, and its digests are those of sha256sum."""

import hashlib
from pathlib import Path

import pytest

from indexer.file_hash import sha256_of
from tests.test_architecture import SOURCES


def test_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "missing")


def test_files_are_hashed_in_one_place() -> None:
    hashing = [path.name for path in SOURCES if "file_digest" in path.read_text(encoding="utf-8")]
    assert hashing == ["file_hash.py"]
