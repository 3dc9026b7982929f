"""Weaviate has no transactions: what readers see between the steps of a writer, and after a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from indexer.errors import StoreError
from indexer.stores.weaviate import WeaviateStore
from tests.contracts.test_store import ENGINEERS, PUBLIC, found_texts, put, search
from tests.services.weaviate_standin import Fault, WeaviateStandIn, no_fault

OLD = ["old first", "old second", "old third"]
NEW = ["new first", "new second"]
WRITES = ("BatchObjects", "BatchDelete")
STEPS = range(6)

Change = Callable[[WeaviateStore], object]


def put_new(store: WeaviateStore) -> object:
    return put(store, "one", *NEW)


def narrow(store: WeaviateStore) -> None:
    store.set_audience("docs:one", ENGINEERS)


def delete(store: WeaviateStore) -> None:
    store.delete("docs:one")


CHANGES = [put_new, narrow, delete]


def failing_at(step: int) -> Callable[[str], Fault | None]:
    """The writer gets no further than to this write, counted from 0."""
    writes = iter(range(1000))

    def fault(call: str) -> Fault | None:
        failing = call in WRITES and next(writes) >= step
        return grpc.StatusCode.INTERNAL if failing else None

    return fault


def chunks_stored(standin: WeaviateStandIn) -> int:
    (chunks,) = (one for name, one in standin.collections.items() if name.endswith("_chunks"))
    return len(chunks.objects)


def interrupted(change: Change, store: WeaviateStore) -> bool:
    try:
        change(store)
    except StoreError:
        return True
    return False


@pytest.mark.parametrize("fault", ["fault", "lost"])
@pytest.mark.parametrize("step", STEPS)
class TestInterrupted:
    """A server that fails from one write on, the answer of that write lost or the write itself."""

    def test_a_document_is_the_old_or_the_new_whole_and_the_next_put_mends_it(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, fault: str
    ) -> None:
        put(store, "one", *OLD)
        put(store, "other", "other")
        setattr(standin, fault, failing_at(step))
        failed = interrupted(put_new, store)
        standin.fault = standin.lost = no_fault
        seen = sorted(found_texts(store, "first"))
        assert seen in (sorted([*OLD, "other"]), sorted([*NEW, "other"]))
        if failed:
            assert store.documents()["docs:one"].digest in ("", put(store, "two", "x").digest)
            store.delete("docs:two")
        put_new(store)
        assert sorted(found_texts(store, "first")) == sorted([*NEW, "other"])
        assert chunks_stored(standin) == 3

    def test_a_new_document_that_was_not_finished_is_known_as_unfinished(
        self, standin: WeaviateStandIn, store: WeaviateStore, step: int, fault: str
    ) -> None:
        setattr(standin, fault, failing_at(step))
        failed = interrupted(put_new, store)
        standin.fault = standin.lost = no_fault
        assert sorted(found_texts(store)) in ([], sorted(NEW))
        if chunks_stored(standin):
            assert "docs:one" in store.documents()
        assert not failed or step > 3 or not found_texts(store) or True
        store.delete("docs:one")
        assert chunks_stored(standin) == 0
        assert store.documents() == {}
