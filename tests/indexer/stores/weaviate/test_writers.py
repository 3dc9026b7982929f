"""Two processes that write one document at once: nothing is called finished that is not there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from indexer.errors import StoreError
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import found_texts, put
from tests.indexer.stores.weaviate.test_steps import WRITES, delete, narrow
from tests.services.weaviate_standin import WeaviateStandIn, no_fault

OLD = ["old first", "old second", "old third"]
NEW = ["new first", "new second"]
STEPS = range(6)
"""Of a writer: unfinished, chunks, record, old chunks, nothing left of them, digest."""

Change = Callable[[WeaviateStore], object]


def put_new(store: WeaviateStore) -> object:
    return put(store, "one", *NEW, title="New")


def put_other(store: WeaviateStore) -> object:
    return put(store, "one", "other first", title="Other")


@contextmanager
def stopped_before(
    standin: WeaviateStandIn, step: int, change: Callable[[], object]
) -> Iterator[None]:
    """A change of another process that waits before one of its writes until the block is left."""
    waiting, going_on = threading.Event(), threading.Event()
    writes = iter(range(1000))

    def pause(call: str) -> None:
        if call in WRITES and next(writes) == step:
            waiting.set()
            assert going_on.wait(5)

    with ThreadPoolExecutor(1) as threads:
        standin.fault = pause
        changing = threads.submit(change)
        assert waiting.wait(5)
        standin.fault = no_fault
        yield
        going_on.set()
        with suppress(StoreError):
            changing.result(5)


def check_finished(store: WeaviateStore) -> None:
    """What has a digest is found whole, so that no sync need look at it again."""
    for document in store.documents().values():
        if document.digest:
            assert len(found_texts(store, "first", audience=document.audience)) == document.chunks


@pytest.mark.parametrize("meanwhile", [put_new, put_other, narrow, delete])
@pytest.mark.parametrize("change", [put_new, narrow])
@pytest.mark.parametrize("step", STEPS)
def test_what_is_called_finished_is_there_and_the_next_put_completes_it(
    standin: WeaviateStandIn,
    store: WeaviateStore,
    reader: WeaviateStore,
    step: int,
    change: Change,
    meanwhile: Change,
) -> None:
    put(store, "one", *OLD)
    with stopped_before(standin, step, lambda: change(store)):
        meanwhile(reader)
    check_finished(reader)
    put_new(reader)
    assert sorted(found_texts(reader, "first")) == NEW


def test_who_was_overtaken_says_so_and_the_document_is_left_to_the_next_sync(
    standin: WeaviateStandIn, store: WeaviateStore, reader: WeaviateStore
) -> None:
    overtaken = pytest.raises(StoreError, match="Another process wrote docs:one at the same time")

    def change() -> None:
        with overtaken:
            put_new(store)

    put(store, "one", *OLD)
    with stopped_before(standin, 5, change):
        put_other(reader)
    assert store.documents()["docs:one"].digest == ""


def test_a_document_that_was_deleted_meanwhile_stays_deleted(
    standin: WeaviateStandIn, store: WeaviateStore, reader: WeaviateStore
) -> None:
    put(store, "one", *OLD)
    with stopped_before(standin, 4, lambda: put_new(store)):
        delete(reader)
    assert store.documents() == {}


def test_two_processes_that_write_one_document_over_and_over_lose_nothing(
    store: WeaviateStore, reader: WeaviateStore
) -> None:
    def write(writer: WeaviateStore) -> None:
        with suppress(StoreError):
            put_new(writer)

    with ThreadPoolExecutor(2) as threads:
        for _ in range(20):
            list(threads.map(write, (store, reader)))
            check_finished(store)
    put_new(store)
    assert sorted(found_texts(store, "first")) == NEW
