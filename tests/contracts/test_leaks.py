"""Nobody is ever shown, and nothing ever reads for them, what they may not see."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.retrieval.reranking import CrossEncoder
from indexer.retrieval.retriever import AudienceRetriever
from indexer.stores.base import Frequencies, SearchRequest, Store
from tests.contracts.conftest import OpenStore
from tests.services.tiny_reranker import write_tiny_reranker

DOCUMENTS, READERS, EXAMPLES = 8, 8, 60
FEWEST_CASES = 10_000
QUESTION = "how many days of leave"
TEXTS = (
    "days of leave",
    "days  of\nleave",
    "how many apple plum",
    "soup for lunch",
    "the salary of the board",
    "train travel money",
)
PRINCIPALS = ("public", "group:a", "group:a-b", "group:b", "slack_user:U1", "slack_channel:C1")
AUDIENCES = st.frozensets(st.sampled_from(PRINCIPALS), min_size=1, max_size=2).map(Audience)
DATES = st.sampled_from([None, datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)])
CHUNKS = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4)


@dataclass(frozen=True)
class Page:
    """A document as it was put, under a title of its own."""

    document: Document
    texts: tuple[str, ...]

    def may_be_read_by(self, reader: Audience) -> bool:
        return self.document.audience.admits(reader)


@st.composite
def pages(draw: st.DrawFn, number: int) -> Page:
    document = Document(
        f"d:{number}", "d", f"Page{number}", "", draw(AUDIENCES), modified=draw(DATES)
    )
    return Page(document, tuple(draw(CHUNKS)))


ALL_PAGES = st.tuples(*(pages(number) for number in range(DOCUMENTS)))
CHANGES = st.lists(st.tuples(st.integers(0, DOCUMENTS - 1), AUDIENCES), min_size=1, max_size=6)
READER_LISTS = st.lists(AUDIENCES, min_size=READERS, max_size=READERS)


class Watched:
    """A real reranker that remembers what it was given to read."""

    def __init__(self, reranker: CrossEncoder) -> None:
        self._reranker = reranker
        self.read: list[str] = []

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.read += texts
        return self._reranker.scores(question, texts)


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrossEncoder]:
    path = tmp_path_factory.mktemp("reranker") / "tiny.gguf"
    write_tiny_reranker(path)
    with closing(CrossEncoder(path, threads=1)) as reranker:
        yield reranker


class Careless:
    """A store that filters nothing: the retriever alone must keep its reader from the rest."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def search(self, request: SearchRequest) -> list[Passage]:
        # Every chunk there is, or those of others would crowd out the reader's own.
        return self._store.search(
            replace(request, audience=Audience.of(*PRINCIPALS), candidates=100, limit=100)
        )

    def frequencies(
        self, words: Sequence[str], audience: Audience, sources: frozenset[str] = frozenset()
    ) -> Frequencies:
        return self._store.frequencies(words, audience, sources)


def vector(text: str) -> Vectors:
    """Near the question's, and the same for the same text."""
    values = np.random.default_rng(sum(map(ord, text))).normal(1, 0.5, 8)
    return (values / np.linalg.norm(values)).astype(np.float32)


def put(store: Store, page: Page) -> None:
    identifier = page.document.id
    chunks = [Chunk(identifier, i, text, ("Part",)) for i, text in enumerate(page.texts)]
    store.put(page.document, chunks, np.stack([vector(text) for text in page.texts]))


def check(retriever: AudienceRetriever, readable: Sequence[Page], watched: Watched | None) -> None:
    """Each passage is a page's own words for this reader, and none of the words are missing."""
    by_id = {page.document.id: page for page in readable}
    chunks = sum(len(page.texts) for page in readable)
    found = retriever.explained(QUESTION, vector(QUESTION))
    for passage, _ in found:
        page = by_id[passage.chunk.document_id]
        assert passage.title == page.document.title
        assert passage.audience == page.document.audience
        assert words(passage.chunk.text) <= words(*page.texts)
    assert sum(max(len(why.merged), 1) + why.folded for _, why in found) == chunks
    shown = "\n".join(" ".join(passage.chunk.text.split()) for passage, _ in found)
    for page in readable:
        assert all(" ".join(text.split()) in shown for text in page.texts)
    if watched:
        titles = {page.document.title for page in readable}
        assert {text.partition(" ")[0] for text in watched.read} <= titles
    assert retriever.frequencies(["leave"]).chunks == chunks


def words(*texts: str) -> set[str]:
    return set(" ".join(texts).split())


def test_in_ten_thousand_cases_nothing_leaks(
    open_store: OpenStore, embedding: LlamaCppEmbedding, reranker: CrossEncoder
) -> None:
    """Random pages, twins and neighbours, whose audiences change after a store has read them: by
    its own hand and, as it were, by another process."""
    cases = 0

    @given(pages=ALL_PAGES, own=CHANGES, others=CHANGES, readers=READER_LISTS)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def look(
        pages: tuple[Page, ...],
        own: list[tuple[int, Audience]],
        others: list[tuple[int, Audience]],
        readers: list[Audience],
    ) -> None:
        nonlocal cases
        current = list(pages)
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(open_store(Path(folder))) as store,
            closing(open_store(Path(folder))) as another,
        ):
            for page in current:
                put(store, page)
            for writer, changes in ((store, []), (store, own), (another, others)):
                for number, audience in changes:
                    page = current[number]
                    page = Page(replace(page.document, audience=audience), page.texts)
                    if number % 2:
                        put(writer, page)
                    else:
                        writer.set_audience(page.document.id, audience)
                    current[number] = page
                for number, reader in enumerate(readers):
                    watched = Watched(reranker) if number % 2 else None
                    retriever = AudienceRetriever(
                        Careless(store) if number < READERS // 2 else store,
                        embedding,
                        reader,
                        limit=50,
                        merge_neighbours=number % 4 < 2,
                        reranker=watched,
                    )
                    readable = [page for page in current if page.may_be_read_by(reader)]
                    check(retriever, readable, watched)
                    cases += len(current)

    look()
    assert cases >= FEWEST_CASES
