"""An unchanged file is extracted once; a change is never hidden for more than a day."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import DocumentError
from indexer.extraction import Extractor
from indexer.formats.extracted import Extracted
from indexer.settings import ExtractionTable
from indexer.sources.cache import CachedExtractor, SourceCache

A_DAY = 24 * 60 * 60


class Watched:
    """A CachedExtractor over one file, at a time of our choosing; counts real extractions."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "page.html"
        self.limits = ExtractionTable()
        self.extracted = 0
        self.cache = SourceCache(None)
        self.write("Text")
        self.now = self.path.stat().st_mtime + 10
        extract = Extractor.extract

        def counted(extractor: Extractor, content: bytes, suffix: str) -> Extracted:
            self.extracted += 1
            return extract(extractor, content, suffix)

        monkeypatch.setattr(Extractor, "extract", counted)

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def read(self) -> str:
        with CachedExtractor(self.limits, self.cache, lambda: self.now) as extractor:
            return extractor.extract_file(self.path, "page").text

    def pretend_unchanged(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        """Other content of the same length behind the same ``stat``."""
        status = self.path.stat()
        self.write(text)
        monkeypatch.setattr(Path, "stat", lambda path, **given: status)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watched = Watched(tmp_path, monkeypatch)
    yield watched
    watched.cache.close()


def test_an_unchanged_file_is_not_even_opened(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched.read() == "Text"

    def no_reading(path: Path) -> bytes:
        raise AssertionError(path)

    monkeypatch.setattr(Path, "read_bytes", no_reading)
    assert watched.read() == "Text"
    assert watched.extracted == 1


def test_a_touched_file_is_read_but_not_extracted(watched: Watched) -> None:
    watched.read()
    os.utime(watched.path, (1, 1))
    assert watched.read() == "Text"
    assert watched.extracted == 1


def test_a_changed_file_is_extracted_again(watched: Watched) -> None:
    watched.read()
    watched.write("Other")
    assert watched.read() == "Other"


def test_a_change_behind_the_same_stat_is_found_after_a_day(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.read()
    watched.pretend_unchanged(monkeypatch, "Next")
    watched.now += A_DAY - 1
    assert watched.read() == "Text"
    watched.now += 1
    assert watched.read() == "Next"


def test_a_file_written_just_now_is_not_believed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.now -= 9
    watched.read()
    watched.pretend_unchanged(monkeypatch, "Next")
    assert watched.read() == "Next"


def test_a_refusal_is_kept_a_day_and_ends_when_a_limit_is_raised(watched: Watched) -> None:
    def refused() -> None:
        with pytest.raises(DocumentError, match="holds no text"):
            watched.read()

    watched.write("<p>")
    refused()
    refused()
    assert watched.extracted == 1
    watched.now += A_DAY
    refused()
    assert watched.extracted == 2
    watched.limits = ExtractionTable(seconds=61)
    refused()
    assert watched.extracted == 3


def test_a_file_too_large_is_not_opened(watched: Watched, tmp_path: Path) -> None:
    with watched.path.open("wb") as huge:
        huge.truncate(51 * 2**20)
    with pytest.raises(DocumentError, match="larger than 50 MiB"):
        watched.read()
