"""Files are cut in the process that reads them, as the index would cut them, up to a length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from indexer.chunking.chunking import Chunker
from indexer.documents import Audience, CutDocument, Document
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import DocumentError, SourceError
from indexer.extraction import Cutting, Extractor
from indexer.settings import ExtractionTable
from tests.indexer import small_files

LIMITS = ExtractionTable(memory_megabytes=512)
EMPTY = Document("F1", "attachment", "file", "", Audience.of("public"))
PAGE = "\n\n".join(
    f"# Chapter {number}\n\n" + f"Sentence {number} is about trains. " * 60 for number in range(20)
)


@pytest.fixture(scope="module")
def embedding(cache_dir: Path) -> Iterator[LlamaCppEmbedding]:
    embedding = LlamaCppEmbedding.find("all-MiniLM-L6-v2", cache_dir, 1)
    yield embedding
    embedding.close()


@pytest.fixture(scope="module")
def extractor(embedding: LlamaCppEmbedding) -> Iterator[Extractor]:
    with Extractor(LIMITS, Cutting(embedding.path, embedding.max_tokens)) as extractor:
        yield extractor


def test_a_file_is_cut_as_the_index_would(
    extractor: Extractor, embedding: LlamaCppEmbedding
) -> None:
    chunker = Chunker(embedding.count_tokens, embedding.max_tokens)
    whole = Document("F1", "attachment", "file", PAGE, Audience.of("public"))
    cut = extractor.cut(PAGE.encode(), ".md", EMPTY)
    assert list(cut.chunks) == chunker.chunks(whole)
    assert cut.is_whole


def test_no_more_chunks_come_than_are_asked_for(extractor: Extractor) -> None:
    cut = extractor.cut(PAGE.encode(), ".md", EMPTY, 3)
    assert [chunk.position for chunk in cut.chunks] == [0, 1, 2]
    assert not cut.is_whole


LONG = {
    "rows": (".csv", b"12345\n" * 1_600_000),
    "wide rows": (".csv", b",".join([b"7"] * 2_000) + b"\n" + b",".join([b"7"] * 2_000_000)),
    "quoted": (".csv", b'a,b\n"' + b"x\n" * 4_000_000),
    "one line": (".txt", b"word " * 2_000_000),
    "one word": (".txt", b"x" * 10_000_000),
    "lines": (".md", b"\n".join([b"- item"] * 1_400_000)),
    "headings": (".md", b"# H\n\ntext\n\n" * 900_000),
    "quotes": (".md", b"> " * 5_000_000),
    "brackets": (".md", b"[" * 10_000_000),
    "emphasis": (".md", b"*a " * 3_300_000),
    "links": (".md", b"[a]: b\n" * 1_400_000),
    "tables": (".md", b"|a|b|\n|-|-|\n" * 800_000),
    "utf-16": (".txt", ("züge " * 900_000).encode("utf-16")),
    "cjk": (".txt", ("漢字" * 1_600_000).encode()),
    "titles": (".rst", b"T\n=\n\ntext\n\n" * 900_000),
    "paragraphs": (".html", b"<p>one word</p>" * 600_000),
    "cells": (".html", b"<table>" + b"<tr><td>1</td></tr>" * 500_000 + b"</table>"),
}


@pytest.mark.parametrize("kind", LONG)
def test_of_whatever_is_long_the_beginning_is_read_or_it_is_refused(
    embedding: LlamaCppEmbedding, kind: str
) -> None:
    suffix, content = LONG[kind]
    limits = LIMITS.model_copy(update={"seconds": 30.0})
    began = time.monotonic()
    refusal, chunks, is_whole = "", 0, True
    with Extractor(limits, Cutting(embedding.path, embedding.max_tokens)) as extractor:
        try:
            cut = extractor.cut(content, suffix, EMPTY)
            chunks, is_whole = len(cut.chunks), cut.is_whole
        except DocumentError as error:
            refusal = str(error)
    print(f"{kind}: {chunks} chunks, {time.monotonic() - began:.1f} s {refusal}")
    assert refusal or (0 < chunks <= 200 and not is_whole)
    assert "[extraction]" not in refusal  # who asks cannot change it


def test_reading_is_given_up_when_it_is_not_wanted_any_more() -> None:
    stop = Event()
    found: list[CutDocument | DocumentError | SourceError] = []

    def read() -> None:
        with Extractor(LIMITS, Cutting(), stop.is_set) as extractor:
            try:
                found.append(extractor.cut(small_files.docx("<w:p/>" * 400_000), ".docx", EMPTY))
            except (DocumentError, SourceError) as error:  # it may not even have begun
                found.append(error)

    thread = Thread(target=read)
    thread.start()
    time.sleep(1.5)
    stop.set()
    began = time.monotonic()
    thread.join(30)
    assert time.monotonic() - began < 5
    assert found
