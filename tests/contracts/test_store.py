"""What every store promises. A new store joins by one more entry in conftest's _STORES."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.errors import StoreError
from indexer.stores.base import SearchRequest, Store
from tests.contracts.conftest import DIMENSION, OpenStore

PUBLIC = Audience.of("public")
ENGINEERS = Audience.of("group:eng")
EVERYONE_ENGINEERS = Audience.of("group:eng-all")


@pytest.fixture
def store(open_store: OpenStore, tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def unit(*values: float) -> Vectors:
    vector = np.zeros(DIMENSION, np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def document(
    name: str, *, audience: Audience = PUBLIC, source: str = "docs", title: str = "Title"
) -> Document:
    return Document(f"{source}:{name}", source, title, "text", audience)


def put(
    store: Store,
    name: str,
    *texts: str,
    audience: Audience = PUBLIC,
    vector: Vectors | None = None,
    title: str = "Title",
    source: str = "docs",
) -> Document:
    """A document with a chunk a text, all with one vector."""
    given = document(name, audience=audience, title=title, source=source)
    chunks = [Chunk(given.id, position, text) for position, text in enumerate(texts)]
    rows = np.tile(unit(1) if vector is None else vector, (len(texts), 1))
    store.put(given, chunks, rows)
    return given


def search(
    store: Store,
    text: str = "",
    *,
    vector: Vectors | None = None,
    audience: Audience = PUBLIC,
    limit: int = 50,
    candidates: int = 50,
    dense_weight: float = 0.5,
    sources: frozenset[str] = frozenset(),
) -> list[Passage]:
    asked = unit(1) if vector is None else vector
    request = SearchRequest(text, asked, audience, limit, candidates, dense_weight, sources)
    return store.search(request)


def found_texts(store: Store, text: str = "", **given: object) -> list[str]:
    return [passage.chunk.text for passage in search(store, text, **given)]  # type: ignore[arg-type]


class TestDocuments:
    def test_an_empty_store_holds_and_finds_nothing(self, store: Store) -> None:
        assert store.documents() == {}
        assert search(store, "anything") == []
        store.check()

    def test_what_was_put_is_listed(self, store: Store) -> None:
        one = put(store, "one", "a", "b")
        put(store, "two", "c", source="other", audience=ENGINEERS)
        listed = store.documents()
        assert sorted(listed) == ["docs:one", "other:two"]
        assert listed["docs:one"].digest == one.digest
        assert listed["docs:one"].chunks == 2
        assert listed["other:two"].audience == ENGINEERS
        assert list(store.documents("other")) == ["other:two"]
        assert store.documents("missing") == {}

    def test_everything_comes_back_with_a_passage(self, store: Store) -> None:
        modified = datetime(2025, 1, 31, 12, tzinfo=UTC)
        given = Document(
            "docs:a b/ü.md",
            "docs",
            "Läve “policy”",
            "text",
            Audience.of("public", "group:hr"),
            url="https://x.org/?a=1&b='2'",
            modified=modified,
        )
        chunk = Chunk(given.id, 0, "Zwölf `days`;\n-- DROP TABLE", ("One", "Two › three"))
        store.put(given, [chunk], unit(1)[None])
        (passage,) = search(store, "days")
        assert passage.chunk == chunk
        assert passage.title == given.title
        assert passage.url == given.url
        assert passage.modified == modified
        assert passage.audience == given.audience

    def test_putting_again_replaces_the_whole_document(self, store: Store) -> None:
        put(store, "one", "first apple", "second apple", "third apple")
        put(store, "one", "only pear")
        assert store.documents()["docs:one"].chunks == 1
        assert found_texts(store, "apple pear") == ["only pear"]

    def test_deleting_removes_exactly_this_document(self, store: Store) -> None:
        for name in ("doc-1", "doc-1-2", "doc", "doc-11"):
            put(store, name, f"text of {name}")
        store.delete("docs:doc-1")
        store.delete("docs:never-there")
        assert sorted(store.documents()) == ["docs:doc", "docs:doc-1-2", "docs:doc-11"]
        assert "text of doc-1" not in found_texts(store, "text")

    def test_two_identical_documents_are_two(self, store: Store) -> None:
        put(store, "one", "the same words")
        put(store, "two", "the same words", audience=ENGINEERS)
        found = search(store, "same words", audience=Audience.of("public", "group:eng"))
        assert [passage.chunk.document_id for passage in found] == ["docs:one", "docs:two"]
        store.delete("docs:one")
        assert found_texts(store, "same words") == []
        assert found_texts(store, "same words", audience=ENGINEERS) == ["the same words"]

    def test_a_document_without_chunks_is_known_but_never_found(self, store: Store) -> None:
        put(store, "empty")
        assert store.documents()["docs:empty"].chunks == 0
        assert search(store, "title") == []

    def test_everything_is_there_after_opening_again(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        with closing(open_store(tmp_path)) as store:
            put(store, "one", "kept text", audience=ENGINEERS, vector=unit(0, 1))
        with closing(open_store(tmp_path)) as store:
            (passage,) = search(store, "kept", vector=unit(0, 1), audience=ENGINEERS)
            assert passage.similarity == pytest.approx(1)
            assert search(store, "kept") == []


class TestRefusals:
    def test_wrong_vectors_are_refused_and_the_old_version_stays(self, store: Store) -> None:
        given = put(store, "one", "old text")
        chunk = Chunk(given.id, 0, "new text")
        not_a_number = np.full((1, DIMENSION), np.nan, np.float32)
        for vectors in (np.zeros((1, 3), np.float32), np.zeros((2, DIMENSION)), not_a_number):
            with pytest.raises(StoreError, match="docs:one"):
                store.put(given, [chunk], vectors.astype(np.float32))
        assert found_texts(store, "text") == ["old text"]

    def test_chunks_of_another_document_are_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="another document"):
            store.put(document("one"), [Chunk("docs:two", 0, "text")], unit(1)[None])

    def test_a_question_of_another_dimension_is_refused(self, store: Store) -> None:
        put(store, "one", "text")
        with pytest.raises(StoreError, match="dimensions"):
            search(store, "text", vector=np.ones(3, np.float32))

    def test_a_closed_store_says_so(self, open_store: OpenStore, tmp_path: Path) -> None:
        store = open_store(tmp_path)
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.documents()


class TestRanking:
    def test_the_dense_leg_orders_by_similarity(self, store: Store) -> None:
        for name, height in (("far", 3.0), ("near", 0.1), ("middle", 1.0)):
            put(store, name, name, vector=unit(1, height))
        found = search(store, dense_weight=1)
        assert [passage.chunk.text for passage in found] == ["near", "middle", "far"]
        assert found[0].similarity == pytest.approx(float(unit(1, 0.1)[0]), abs=1e-6)
        assert [passage.lexical for passage in found] == [0, 0, 0]

    def test_the_lexical_leg_finds_stems_and_prefers_rare_words(self, store: Store) -> None:
        put(store, "common", "the policy of the company about running")
        put(store, "rare", "the policy of ERR-4711")
        for i in range(5):
            put(store, f"noise{i}", "a policy like any other policy")
        assert found_texts(store, "runs?", dense_weight=0)[0].endswith("running")
        assert found_texts(store, "policy ERR-4711", dense_weight=0)[0] == "the policy of ERR-4711"

    def test_titles_and_headers_are_searched_too(self, store: Store) -> None:
        put(store, "one", "nothing of interest", title="Sabbatical")
        put(store, "two", "nothing of interest")
        (found, *_) = search(store, "sabbatical", dense_weight=0)
        assert found.chunk.document_id == "docs:one"

    def test_scores_are_fused_into_one(self, store: Store) -> None:
        put(store, "both", "apple", vector=unit(1, 0.2))
        put(store, "dense", "pear", vector=unit(1))
        put(store, "lexical", "apple apple", vector=unit(0, 0, 1))
        found = {p.chunk.document_id: p for p in search(store, "apple")}
        assert all(0 <= passage.score <= 1 for passage in found.values())
        assert found["docs:dense"].score == pytest.approx(0.5)
        assert found["docs:both"].similarity == pytest.approx(float(unit(1, 0.2)[0]), abs=1e-6)
        assert max(passage.lexical for passage in found.values()) == 1
        assert found["docs:dense"].lexical == 0

    def test_a_passage_of_the_lexical_leg_alone_has_its_similarity(self, store: Store) -> None:
        put(store, "near", "pear")
        put(store, "far", "apple", vector=unit(0.6, 0.8))
        found = {p.chunk.text: p for p in search(store, "apple", candidates=1)}
        assert found["apple"].similarity == pytest.approx(0.6)

    def test_limit_and_candidates_are_kept(self, store: Store) -> None:
        for i in range(9):
            put(store, f"d{i}", f"word number{i}", vector=unit(1, i / 10))
        assert len(search(store, "word", limit=4)) == 4
        assert len(search(store, "word", candidates=3, dense_weight=1)) <= 6

    def test_ties_come_in_the_order_of_documents_and_positions(self, store: Store) -> None:
        put(store, "a", "same", "same", "same")
        put(store, "c", "same")
        put(store, "b", "same")
        found = [passage.chunk.id for passage in search(store, "same")]
        assert found == ["docs:a#0", "docs:a#1", "docs:a#2", "docs:b#0", "docs:c#0"]

    @pytest.mark.parametrize(
        "text",
        ["", " ", "?", '"', "'; --", "a OR b AND NOT (c", "NEAR(x y)", "text:^*", "the of", "🎉"],
    )
    def test_any_text_may_be_searched(self, store: Store, text: str) -> None:
        put(store, "one", "the text of one")
        assert len(search(store, text)) == 1

    def test_stopwords_alone_still_match(self, store: Store) -> None:
        put(store, "one", "to be or not")
        assert search(store, "to be", dense_weight=0)[0].lexical == 1


class TestAudience:
    def test_the_filter_comes_before_the_ranking(self, store: Store) -> None:
        """Better passages for others must not crowd out the reader's own."""
        for i in range(40):
            put(store, f"theirs{i}", "apple apple apple", audience=ENGINEERS)
        put(store, "mine", "one apple among many other words", vector=unit(0.1, 1))
        (passage,) = search(store, "apple", limit=1, candidates=1)
        assert passage.chunk.document_id == "docs:mine"
        assert passage.lexical == 1

    def test_principals_are_compared_whole(self, store: Store) -> None:
        put(store, "eng", "apple", audience=ENGINEERS)
        put(store, "all", "apple", audience=EVERYONE_ENGINEERS)
        (passage,) = search(store, "apple", audience=ENGINEERS)
        assert passage.chunk.document_id == "docs:eng"

    def test_one_common_principal_is_enough(self, store: Store) -> None:
        put(store, "one", "apple", audience=Audience.of("group:a", "group:b"))
        assert search(store, "apple", audience=Audience.of("group:b", "slack_user:U1"))
        assert not search(store, "apple", audience=Audience.of("group:c", "slack_user:U1"))

    def test_a_new_audience_applies_at_once_and_touches_nothing_else(self, store: Store) -> None:
        given = put(store, "one", "apple")
        put(store, "two", "apple")
        store.set_audience(given.id, ENGINEERS)
        assert [p.chunk.document_id for p in search(store, "apple")] == ["docs:two"]
        (passage,) = search(store, "apple", audience=ENGINEERS)
        assert passage.audience == ENGINEERS
        assert store.documents()[given.id].audience == ENGINEERS
        assert store.documents()[given.id].digest == given.digest
        store.set_audience("docs:never-there", PUBLIC)

    def test_frequencies_count_what_the_reader_may_see(self, store: Store) -> None:
        put(store, "one", "apple pear", "apples")
        put(store, "two", "apple fig", audience=ENGINEERS)
        counted = store.frequencies(["apple", "fig", "pear", "plum"], PUBLIC)
        assert counted.chunks == 2
        assert counted.containing == {"apple": 2, "fig": 0, "pear": 1, "plum": 0}
        everyone = Audience.of("public", "group:eng")
        assert store.frequencies(["apple"], everyone).containing == {"apple": 3}
        assert store.frequencies([], EVERYONE_ENGINEERS).chunks == 0

    PRINCIPALS = st.sampled_from(
        ["public", "group:a", "group:a-b", "group:b", "slack_user:U1", "slack_channel:C1"]
    )
    AUDIENCES = st.frozensets(PRINCIPALS, min_size=1, max_size=3).map(Audience)
    STEPS = st.lists(st.tuples(st.integers(0, 7), AUDIENCES), min_size=1, max_size=20)

    @given(steps=STEPS, readers=st.lists(AUDIENCES, min_size=1, max_size=4))
    @settings(max_examples=40, deadline=None)
    def test_every_reader_finds_exactly_what_is_theirs(
        self,
        open_store: OpenStore,
        steps: list[tuple[int, Audience]],
        readers: list[Audience],
    ) -> None:
        """Whatever was put, moved to others or deleted, in whatever order, between searches."""
        expected: dict[str, Audience] = {}
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(open_store(Path(folder))) as store,
        ):
            for number, (choice, audience) in enumerate(steps):
                identifier = f"docs:{choice % 4}"
                if choice == 7:
                    store.delete(identifier)
                    expected.pop(identifier, None)
                elif choice > 4 and identifier in expected:
                    store.set_audience(identifier, audience)
                    expected[identifier] = audience
                else:
                    put(store, str(choice % 4), "apple", "pear", audience=audience)
                    expected[identifier] = audience
                reader = readers[number % len(readers)]
                self._check(store, reader, expected)
            for reader in readers:
                self._check(store, reader, expected)

    def _check(self, store: Store, reader: Audience, expected: dict[str, Audience]) -> None:
        theirs = {one for one, audience in expected.items() if audience.admits(reader)}
        for dense_weight in (0.0, 0.5, 1.0):
            found = search(store, "apple pear", audience=reader, dense_weight=dense_weight)
            assert {passage.chunk.document_id for passage in found} == theirs
            assert len(found) == 2 * len(theirs)
        assert store.frequencies(["apple"], reader).containing["apple"] == len(theirs)


class TestThreads:
    def test_readers_see_the_old_chunks_or_the_new(self, store: Store) -> None:
        """While a document is rewritten with ever more chunks, each search sees one version."""
        put(store, "one", "version0")
        done = threading.Event()

        def read() -> int:
            searches = 0
            while not done.is_set() or searches == 0:
                texts = found_texts(store, "")
                assert texts
                assert set(texts) == {texts[0]}
                assert len(texts) == int(texts[0].removeprefix("version")) % 5 + 1
                searches += 1
            return searches

        with ThreadPoolExecutor(3) as threads:
            readers = [threads.submit(read) for _ in range(3)]
            try:
                for version in range(60):
                    put(store, "one", *[f"version{version}"] * (version % 5 + 1))
            finally:
                done.set()
            assert all(reader.result() > 0 for reader in readers)

    def test_several_writers_lose_nothing(self, store: Store) -> None:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda i: put(store, f"d{i}", "text", f"more {i}"), range(40)))
        assert len(store.documents()) == 40
        assert len(search(store, "text", limit=200, candidates=200)) == 80

    def test_another_process_sees_what_was_committed(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        """Two stores over one index stand for two processes."""
        with closing(open_store(tmp_path)) as one, closing(open_store(tmp_path)) as other:
            assert search(other, "apple") == []
            given = put(one, "one", "apple")
            assert found_texts(other, "apple") == ["apple"]
            put(other, "one", "pear")
            assert found_texts(one, "pear") == ["pear"]
            one.set_audience(given.id, ENGINEERS)
            assert found_texts(other, "pear") == []
            one.delete(given.id)
            assert found_texts(other, "pear", audience=ENGINEERS) == []
