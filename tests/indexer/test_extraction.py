"""A hostile file costs one refusal, and the next file is read as ever."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import DocumentError, SourceError
from indexer.extraction import KINDS, Extractor
from indexer.settings import ExtractionTable
from tests.indexer import small_files
from tests.indexer.small_files import paragraph

GOOD = b"<h1>Good</h1>"


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(ExtractionTable(memory_megabytes=256, text_megabytes=1)) as extractor:
        yield extractor


def test_text_is_composed_with_unix_lines_and_the_title_on_one(extractor: Extractor) -> None:
    page = "<title> Cafe\u0301\n menu</title><p>Cre\u0300me</p>\r\n<pre>a\r\nb</pre>"
    found = extractor.extract(page.encode(), ".HTML")
    assert found.title == "Café menu"
    assert "\r" not in found.text
    assert "Crème" in found.text


@pytest.mark.parametrize("suffix", sorted(KINDS))
def test_an_empty_file_of_any_kind_is_named(extractor: Extractor, suffix: str) -> None:
    with pytest.raises(DocumentError, match="it is empty"):
        extractor.extract(b"", suffix)


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".pptx", ".xlsx", ".epub", ".ipynb"])
@pytest.mark.parametrize("content", [b"PK\x03\x04 no archive", b"\x00\xff" * 500, b"[]"])
def test_a_broken_file_of_any_kind_is_named(
    extractor: Extractor, suffix: str, content: bytes
) -> None:
    with pytest.raises(DocumentError, match=r"damaged|is not UTF-8|NUL"):
        extractor.extract(content, suffix)
    assert extractor.extract(GOOD, ".html").title == "Good"


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [".pdf", ".docx"])
def test_a_file_cut_off_is_read_in_part_or_named(
    extractor: Extractor, suffix: str, keep: float
) -> None:
    whole = small_files.pdf("Text") if suffix == ".pdf" else small_files.docx(paragraph("Text"))
    try:
        said = extractor.extract(whole[: int(len(whole) * keep)], suffix).text
    except DocumentError as error:
        said = str(error)
    assert "Text" in said or said.startswith("it is damaged")


def test_a_file_without_a_word_is_named(extractor: Extractor) -> None:
    with pytest.raises(DocumentError, match="holds no text"):
        extractor.extract(small_files.docx(paragraph(" ")), ".docx")


def test_too_much_text_is_named(extractor: Extractor) -> None:
    with pytest.raises(DocumentError, match="text is larger than 1 MiB"):
        extractor.extract(b"<p>" + b"word " * 300_000, ".html")


def test_a_decompression_bomb_is_refused_unopened(extractor: Extractor) -> None:
    bomb = small_files.docx(paragraph("Text") + " " * (257 * 2**20))
    assert len(bomb) < 2**20
    start = time.monotonic()
    with pytest.raises(DocumentError, match="unpacks to 257 MB"):
        extractor.extract(bomb, ".docx")
    assert time.monotonic() - start < 5


def test_a_file_that_needs_too_much_memory_costs_only_itself(extractor: Extractor) -> None:
    hungry = b'{"cells": [' + b"[]," * 5_000_000 + b"[]]}"
    with pytest.raises(DocumentError, match="takes more than 256 MB of memory"):
        extractor.extract(hungry, ".ipynb")
    assert extractor.extract(GOOD, ".html").title == "Good"


def test_deep_nesting_is_named(extractor: Extractor) -> None:
    with pytest.raises(DocumentError, match="nested too deeply"):
        extractor.extract(b"<div>" * 100_000 + b"Text", ".html")
    assert extractor.extract(GOOD, ".html").title == "Good"


def test_a_file_that_takes_too_long_is_given_up() -> None:
    slow = b"a,b\n" * 4_000_000
    with Extractor(ExtractionTable(seconds=0.5)) as extractor:
        start = time.monotonic()
        with pytest.raises(DocumentError, match=r"longer than 0\.5 seconds"):
            extractor.extract(slow, ".csv")
        assert time.monotonic() - start < 10
        assert "Good" in extractor.extract(b"Good", ".csv").text


def test_one_process_reads_many_files_and_is_replaced_when_it_dies(extractor: Extractor) -> None:
    def process() -> int:
        extractor.extract(GOOD, ".html")
        assert extractor._worker is not None
        return extractor._worker._process.pid

    first = process()
    assert process() == first
    os.kill(first, 9)
    assert process() != first


def test_the_process_sees_no_environment_and_writes_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("A_SECRET", "hush")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the folder was imported')")
    with Extractor(ExtractionTable()) as extractor:
        extractor.extract(GOOD, ".html")
        assert extractor._worker is not None
        folder = Path(f"/proc/{extractor._worker._process.pid}")
        if not folder.exists():
            pytest.skip("there is no /proc to look into")
        assert b"A_SECRET" not in (folder / "environ").read_bytes()
        assert "Max file size             0" in (folder / "limits").read_text()


def test_a_process_that_cannot_start_fails_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(SourceError, match="cannot be started"):
        Extractor(ExtractionTable()).extract(GOOD, ".html")
