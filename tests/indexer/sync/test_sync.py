"""A sync does what changed, in an order that never leaks and never loses."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.chunking.chunking import Chunker
from indexer.documents import Audience, Document, Vectors
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import EmbedderError, SourceError
from indexer.sources.base import Unreadable
from indexer.stores.base import SearchRequest, Store
from indexer.stores.sqlite import SqliteStore
from indexer.sync.sync import Plan, Progressed, Report, apply, plan, plan_removal

PUBLIC = Audience.of("public")
ENGINEERS = Audience.of("group:eng")


class ListSource:
    """A source held in memory; ``failing`` ends it with a SourceError."""

    def __init__(self, *documents: Document | Unreadable, failing: bool = False) -> None:
        self.name = "docs"
        self.documents = documents
        self.failing = failing

    def read(self) -> Iterator[Document | Unreadable]:
        yield from self.documents
        if self.failing:
            raise SourceError("the disk is gone")


def page(name: str, text: str = "Some text.", audience: Audience = PUBLIC) -> Document:
    return Document(f"docs:{name}", "docs", name, text, audience)


def ids(documents: Sequence[Document]) -> list[str]:
    return [document.id.removeprefix("docs:") for document in documents]


class Syncing:
    """A store with what is needed to sync into it."""

    def __init__(self, store: Store, embedding: LlamaCppEmbedding) -> None:
        self.store = store
        self.embedding = embedding
        self.chunker = Chunker(embedding.count_tokens, embedding.max_tokens)

    def __call__(self, *documents: Document | Unreadable) -> Report:
        return self.apply(plan(ListSource(*documents), self.store))

    def apply(self, steps: Plan) -> Report:
        return apply(steps, self.store, self.chunker, self.embedding)

    def texts(self, reader: Audience = PUBLIC) -> set[str]:
        vector = self.embedding.embed(["text"])[0]
        found = self.store.search(SearchRequest("", vector, reader, 1000, 1000, 1.0))
        return {passage.chunk.text for passage in found}


@pytest.fixture
def syncing(embedding: LlamaCppEmbedding, tmp_path: Path) -> Iterator[Syncing]:
    identity = (embedding.identity, embedding.dimension)
    with closing(SqliteStore(tmp_path / "index.sqlite", *identity)) as store:
        yield Syncing(store, embedding)


def fail(*_: object) -> Vectors:
    raise EmbedderError("the embedder failed")


def test_a_plan_tells_every_kind_of_change_and_writes_nothing(syncing: Syncing) -> None:
    syncing(page("same"), page("edited"), page("moved"), page("gone"), page("broken"))
    before = syncing.store.documents()
    source = ListSource(
        page("same"),
        page("edited", "New text."),
        page("moved", audience=ENGINEERS),
        page("new"),
        Unreadable("docs:broken", "broken: it is broken."),
    )
    steps = plan(source, syncing.store)
    assert ids(steps.added) == ["new"]
    assert ids(steps.changed) == ["edited"]
    assert ids(steps.audience_only) == ["moved"]
    assert steps.deleted == ("docs:gone",)
    assert steps.unchanged == 1
    assert [one.id for one in steps.unreadable] == ["docs:broken"]
    assert syncing.store.documents() == before


def test_applying_the_plan_makes_the_index_equal_the_source(syncing: Syncing) -> None:
    syncing(page("same"), page("edited", "Old text."), page("gone", "Gone text."))
    report = syncing(page("same"), page("edited", "New text."), page("new", "Added text."))
    assert (report.added, report.changed, report.deleted, report.unchanged) == (1, 1, 1, 1)
    assert report.chunks == 2
    assert syncing.texts() == {"Some text.", "New text.", "Added text."}


def test_a_second_sync_embeds_nothing(syncing: Syncing, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [page(f"p{number}", f"Text {number}.") for number in range(5)]
    syncing(*documents)
    monkeypatch.setattr(LlamaCppEmbedding, "embed", fail)
    steps = plan(ListSource(*documents), syncing.store)
    assert steps.is_empty
    assert syncing.apply(steps).chunks == 0


def test_a_new_audience_embeds_nothing(syncing: Syncing, monkeypatch: pytest.MonkeyPatch) -> None:
    syncing(page("one"))
    with monkeypatch.context() as patch:
        patch.setattr(LlamaCppEmbedding, "embed", fail)
        assert syncing(page("one", audience=ENGINEERS)).audience_only == 1
    assert syncing.texts() == set()
    assert syncing.texts(ENGINEERS) == {"Some text."}


def test_an_unreadable_document_keeps_its_old_version(syncing: Syncing) -> None:
    syncing(page("one", "Old text."))
    report = syncing(Unreadable("docs:one", "one: it is broken."))
    assert [one.id for one in report.unreadable] == ["docs:one"]
    assert syncing.texts() == {"Old text."}


def test_a_source_that_fails_midway_deletes_nothing(syncing: Syncing) -> None:
    syncing(page("one", "Text one."), page("two", "Text two."))
    with pytest.raises(SourceError):
        plan(ListSource(page("one", "New."), failing=True), syncing.store)
    assert syncing.texts() == {"Text one.", "Text two."}


def test_two_identical_documents_are_two(syncing: Syncing) -> None:
    syncing(page("one"), page("two"))
    assert syncing(page("two")).deleted == 1
    assert list(syncing.store.documents()) == ["docs:two"]
    assert syncing.texts() == {"Some text."}


def test_one_id_twice_is_refused(syncing: Syncing) -> None:
    with pytest.raises(SourceError, match="docs:one twice"):
        plan(ListSource(page("one"), page("one")), syncing.store)


def test_other_sources_are_left_alone(syncing: Syncing) -> None:
    other = replace(page("one", "Theirs."), id="wiki:one", source="wiki")
    syncing.apply(Plan("wiki", added=(other,)))
    syncing(page("mine"))
    assert sorted(syncing.store.documents()) == ["docs:mine", "wiki:one"]
    syncing.apply(plan_removal("wiki", syncing.store))
    assert sorted(syncing.store.documents()) == ["docs:mine"]


def test_a_failing_embedder_leaves_old_versions_and_the_next_sync_goes_on(
    syncing: Syncing, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing(page("one", "Old text."))
    with monkeypatch.context() as patch:
        patch.setattr(LlamaCppEmbedding, "embed", fail)
        with pytest.raises(EmbedderError):
            syncing(page("one", "New text."), page("two"))
    assert syncing.texts() == {"Old text."}
    assert syncing(page("one", "New text."), page("two")).changed == 1
    assert syncing.texts() == {"New text.", "Some text."}


def test_readers_lose_access_even_when_the_new_text_cannot_be_embedded(
    syncing: Syncing, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing(page("one", "Old secret."), page("two", "Gone secret."))
    with monkeypatch.context() as patch:
        patch.setattr(LlamaCppEmbedding, "embed", fail)
        with pytest.raises(EmbedderError):
            syncing(page("one", "New secret.", ENGINEERS))
    assert syncing.texts() == set()


def test_what_was_committed_before_an_interruption_is_not_done_again(syncing: Syncing) -> None:
    documents = [page(f"p{number}", "A sentence. " * 400) for number in range(30)]
    steps = plan(ListSource(*documents), syncing.store)

    class Interrupted(Exception):
        pass

    def interrupt(event: Progressed) -> None:
        assert event.total == 30
        if event.done >= 12:
            raise Interrupted

    with pytest.raises(Interrupted):
        apply(steps, syncing.store, syncing.chunker, syncing.embedding, interrupt)
    rest = plan(ListSource(*documents), syncing.store)
    assert len(rest.added) == 18
    assert rest.unchanged == 12


def test_a_page_without_text_is_indexed_without_chunks(syncing: Syncing) -> None:
    assert syncing(page("empty", "")).chunks == 0
    assert plan(ListSource(page("empty", "")), syncing.store).is_empty
