"""Weaviate has no transactions: what is seen between the steps of a writer, or after a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

import grpc
import pytest

from indexer.errors import StoreError
from indexer.settings import StoreTable
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.conftest import DIMENSION
from tests.contracts.test_store import ENGINEERS, PUBLIC, found_texts, put, unit
from tests.services.weaviate_standin import Fault, WeaviateStandIn, no_fault

OLD = ["old first", "old second", "old third"]
NEW = ["new first", "new second"]
WRITES = ("BatchObjects", "BatchDelete")

Change = Callable[[], object]


def put_new(store: WeaviateStore) -> object:
    return put(store, "one", *NEW, title="New")


def narrow(store: WeaviateStore) -> None:
    store.set_audience("docs:one", ENGINEERS)


def delete(store: WeaviateStore) -> None:
    store.delete("docs:one")


def failing_at(step: int) -> Callable[[str], Fault | None]:
    """The writer gets no further than to this write, counted from 0."""
    writes = iter(range(1000))

    def fault(call: str) -> Fault | None:
        failing = call in WRITES and next(writes) >= step
        return grpc.StatusCode.INTERNAL if failing else None

    return fault


def interrupt(standin: WeaviateStandIn, kind: str, step: int, change: Change) -> None:
    """Let a change fail; whether it does, being over before that step, is not the question."""
    setattr(standin, kind, failing_at(step))
    with suppress(StoreError):
        change()
    standin.fault = standin.lost = no_fault


def chunks_stored(standin: WeaviateStandIn) -> int:
    (chunks,) = (one for name, one in standin.collections.items() if name.endswith("_chunks"))
    return len(chunks.objects)


@pytest.mark.parametrize("kind", ["fault", "lost"])
@pytest.mark.parametrize("step", range(6))
class TestInterrupted:
    """The server fails from one write on: that write itself, or only its answer, is lost."""

    def test_a_document_is_the_old_or_the_new_whole(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, kind: str
    ) -> None:
        old = put(store, "one", *OLD, title="Old")
        interrupt(standin, kind, step, lambda: put_new(store))
        seen = sorted(found_texts(store, "first"))
        assert seen in (OLD, NEW)
        digest = store.documents()["docs:one"].digest
        if digest:
            texts = OLD if digest == old.digest else NEW
            assert (seen, chunks_stored(standin)) == (texts, len(texts))

    def test_the_next_put_leaves_nothing_of_the_interrupted_one(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, kind: str
    ) -> None:
        put(store, "one", *OLD)
        interrupt(standin, kind, step, lambda: put(store, "one", "never finished", "x", "y"))
        put_new(store)
        assert sorted(found_texts(store, "first")) == NEW
        assert chunks_stored(standin) == len(NEW)

    def test_a_new_document_leaves_nothing_that_no_sync_would_find(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, kind: str
    ) -> None:
        interrupt(standin, kind, step, lambda: put_new(store))
        assert sorted(found_texts(store)) in ([], NEW)
        assert not chunks_stored(standin) or "docs:one" in store.documents()
        store.delete("docs:one")
        assert chunks_stored(standin) == 0
        assert store.documents() == {}

    def test_an_audience_is_the_old_or_the_new_for_all_chunks(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, kind: str
    ) -> None:
        put(store, "one", *OLD, audience=ENGINEERS)
        interrupt(standin, kind, step, lambda: store.set_audience("docs:one", PUBLIC))
        before, after = found_texts(store, audience=ENGINEERS), found_texts(store)
        assert sorted(before) + sorted(after) == OLD
        assert store.documents()["docs:one"].audience == (PUBLIC if after else ENGINEERS)

    def test_an_interrupted_deletion_is_known_and_can_be_repeated(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, kind: str
    ) -> None:
        put(store, "one", *OLD)
        standin.deletions_at_once = 1
        interrupt(standin, kind, step, lambda: delete(store))
        seen = sorted(found_texts(store))
        assert seen in ([], OLD)
        assert not chunks_stored(standin) or "docs:one" in store.documents()
        assert seen or all(one.digest == "" for one in store.documents().values())
        delete(store)
        assert (chunks_stored(standin), store.documents()) == (0, {})


@pytest.mark.parametrize(
    ("change", "allowed"),
    [(put_new, [OLD, NEW]), (narrow, [OLD, []]), (delete, [OLD, []])],
)
def test_a_reader_between_any_two_steps_sees_one_whole_version(
    standin: WeaviateStandIn,
    store: WeaviateStore,
    reader: WeaviateStore,
    table: StoreTable,
    change: Callable[[WeaviateStore], object],
    allowed: list[list[str]],
) -> None:
    """One that has seen the document before, and one that has just started."""
    put(store, "one", *OLD)
    seen: list[list[str]] = []

    def look(call: str) -> None:
        if call in WRITES:
            with closing(WeaviateStore(table, "test-embedder", DIMENSION)) as started:
                seen.extend(sorted(found_texts(each, "first")) for each in (reader, started))

    standin.fault = look
    change(store)
    standin.fault = no_fault
    assert len(seen) >= 6
    assert all(texts in allowed for texts in seen)
    assert sorted(found_texts(reader)) == allowed[1]


@contextmanager
def paused(standin: WeaviateStandIn, change: Change, *, write: int, search: int) -> Iterator[None]:
    """A change that waits before one of its writes until one of the searches that follow.

    That search waits in turn until the change is complete; both are counted from 0.
    """
    waiting, going_on = threading.Event(), threading.Event()
    writes, searches = iter(range(1000)), iter(range(1000))

    def pause(call: str) -> None:
        if call in WRITES and next(writes) == write:
            waiting.set()
            assert going_on.wait(5)

    def go_on(call: str) -> None:
        if call == "Search" and next(searches) == search:
            going_on.set()
            changing.result(5)

    with ThreadPoolExecutor(1) as threads:
        standin.fault = pause
        changing = threads.submit(change)
        assert waiting.wait(5)
        standin.fault = go_on
        yield
        assert going_on.is_set()


def test_a_version_that_becomes_current_while_it_is_left_out_is_not_lost(
    standin: WeaviateStandIn, store: WeaviateStore, reader: WeaviateStore
) -> None:
    """The new version is seen unfinished, so left out; before the next look it is the only one."""
    put(store, "one", *OLD)
    with paused(standin, lambda: put_new(store), write=2, search=2):
        assert sorted(found_texts(reader)) == NEW


def test_a_version_that_was_found_half_written_is_looked_for_again(
    standin: WeaviateStandIn, store: WeaviateStore, reader: WeaviateStore
) -> None:
    """It is complete and current by the time that the records are read."""
    texts = [f"text {number}" for number in range(250)]
    with paused(standin, lambda: put(store, "one", *texts), write=2, search=1):
        found = found_texts(reader, limit=1000, candidates=1000)
    assert len(found) == len(texts)


def test_what_is_left_behind_does_not_crowd_out_what_may_be_read(
    standin: WeaviateStandIn, store: WeaviateStore
) -> None:
    put(store, "mine", "apple", vector=unit(1, 1))
    interrupt(standin, "fault", 2, lambda: put(store, "dead", *["apple apple"] * 20))
    assert chunks_stored(standin) == 21
    assert found_texts(store, "apple", candidates=1, limit=1) == ["apple"]


def test_two_documents_are_written_at_once_by_two_processes(
    store: WeaviateStore, reader: WeaviateStore
) -> None:
    with ThreadPoolExecutor(2) as threads:
        for turn in range(10):
            one = threads.submit(put, store, "one", f"one {turn}")
            two = threads.submit(put, reader, "two", f"two {turn}")
            one.result()
            two.result()
            assert sorted(found_texts(store)) == [f"one {turn}", f"two {turn}"]
