"""Three copies of everything: what is shown and what is written while one or two are away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from indexer.errors import StoreError
from indexer.settings import StoreTable
from indexer.stores.weaviate import collections
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import ENGINEERS, found_texts, put, search
from tests.indexer.stores.weaviate.test_steps import delete, narrow
from tests.indexer.stores.weaviate.test_store import opened
from tests.services.weaviate_standin import WeaviateStandIn

NODES = ("node1", "node2", "node3")


@pytest.fixture
def standin(standin: WeaviateStandIn, monkeypatch: pytest.MonkeyPatch) -> WeaviateStandIn:
    monkeypatch.setattr(collections, "_COUNT_VALID_SECONDS", 0.0)
    standin.nodes = dict.fromkeys(NODES, "HEALTHY")
    return standin


@pytest.fixture
def table(standin: WeaviateStandIn) -> StoreTable:
    return StoreTable(
        kind="weaviate", url=standin.url, grpc_port=standin.grpc_port, replication_factor=3
    )


@pytest.fixture
def store(table: StoreTable) -> Iterator[WeaviateStore]:
    with closing(opened(table)) as store:
        put(store, "one", "secret")
        yield store


def forgotten(standin: WeaviateStandIn, count: int) -> None:
    """As after a crash, when the others have noticed."""
    for name in NODES[-count:]:
        standin.nodes.pop(name, None)


def silent(standin: WeaviateStandIn, count: int) -> None:
    standin.nodes |= dict.fromkeys(NODES[-count:], "UNAVAILABLE")


Leave = Callable[[WeaviateStandIn, int], None]
ways_to_leave = pytest.mark.parametrize("leave", [forgotten, silent])


def digest(store: WeaviateStore) -> str:
    return store.documents()["docs:one"].digest


class TestANodeThatMissedAChange:
    @pytest.mark.parametrize("change", [narrow, delete])
    def test_shows_nobody_what_was_taken_from_them(
        self, standin: WeaviateStandIn, store: WeaviateStore, change: Callable[..., None]
    ) -> None:
        assert found_texts(store, "secret") == ["secret"]
        with standin.missed_by_one():
            change(store)
        assert search(store, "secret") == []

    def test_shows_it_to_no_process_that_has_just_started(
        self, standin: WeaviateStandIn, store: WeaviateStore, table: StoreTable
    ) -> None:
        with standin.missed_by_one():
            narrow(store)
        with closing(opened(table)) as started:
            assert search(started, "secret") == []

    def test_is_repaired_by_being_asked(
        self, standin: WeaviateStandIn, store: WeaviateStore
    ) -> None:
        with standin.missed_by_one():
            narrow(store)
        assert found_texts(store, "secret", audience=ENGINEERS) == ["secret"]

    @pytest.mark.parametrize("change", [narrow, delete])
    def test_lists_it_as_unfinished_so_that_the_next_sync_writes_or_deletes_it(
        self, standin: WeaviateStandIn, store: WeaviateStore, change: Callable[..., None]
    ) -> None:
        with standin.missed_by_one():
            change(store)
        assert digest(store) == ""


@ways_to_leave
class TestOneAway:
    def test_searches_go_on(
        self, standin: WeaviateStandIn, store: WeaviateStore, leave: Leave
    ) -> None:
        leave(standin, 1)
        store.check()
        assert found_texts(store, "secret") == ["secret"]

    def test_new_text_waits(
        self, standin: WeaviateStandIn, store: WeaviateStore, leave: Leave
    ) -> None:
        leave(standin, 1)
        with pytest.raises(StoreError, match=r"Of the 3 nodes .* 2 can be reached; new text waits"):
            put(store, "one", "new")
        assert found_texts(store) == ["secret"]

    @pytest.mark.parametrize("change", [narrow, delete])
    def test_what_takes_away_from_readers_applies_at_once_and_is_finished_later(
        self,
        standin: WeaviateStandIn,
        store: WeaviateStore,
        leave: Leave,
        change: Callable[[WeaviateStore], None],
    ) -> None:
        """The record stays: a node that has it still would otherwise give it back."""
        leave(standin, 1)
        change(store)
        assert search(store, "secret") == []
        assert digest(store) == ""
        standin.nodes = dict.fromkeys(NODES, "HEALTHY")
        delete(store)
        assert store.documents() == {}

    def test_a_document_during_which_it_left_is_written_again_by_the_next_sync(
        self, standin: WeaviateStandIn, store: WeaviateStore, leave: Leave
    ) -> None:
        def fault(call: str) -> None:
            if call == "BatchDelete":
                leave(standin, 1)

        standin.fault = fault
        put(store, "one", "new")
        assert found_texts(store) == ["new"]
        assert digest(store) == ""


@ways_to_leave
class TestTwoAway:
    """The last one calls itself a quorum, whatever it has missed."""

    @pytest.mark.parametrize(
        "use",
        [search, WeaviateStore.check, narrow, delete],
        ids=["search", "check", "narrow", "delete"],
    )
    def test_nothing_is_shown_or_changed(
        self,
        standin: WeaviateStandIn,
        store: WeaviateStore,
        leave: Leave,
        use: Callable[[WeaviateStore], object],
    ) -> None:
        leave(standin, 2)
        with pytest.raises(StoreError, match=r"1 can be reached; .* nothing is shown or changed"):
            use(store)
        standin.nodes = dict.fromkeys(NODES, "HEALTHY")
        assert found_texts(store) == ["secret"]
        assert digest(store)


def test_a_node_that_is_slow_to_hear_of_the_others_is_there(
    standin: WeaviateStandIn, store: WeaviateStore
) -> None:
    standin.nodes["node2"] = "UNHEALTHY"
    put(store, "one", "new")
    assert found_texts(store) == ["new"]


def test_nodes_are_asked_once_a_second_however_much_is_searched(
    standin: WeaviateStandIn, store: WeaviateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "_COUNT_VALID_SECONDS", 60.0)
    standin.calls.clear()
    for _ in range(3):
        search(store, "secret")
    assert sum(call.startswith("GET /nodes") for call in standin.calls) <= 2


def test_a_collection_keeps_its_copies_whatever_the_settings_say_later(
    standin: WeaviateStandIn, store: WeaviateStore, table: StoreTable
) -> None:
    one_copy = table.model_copy(update={"replication_factor": 1})
    with closing(opened(one_copy)) as reader:
        with standin.missed_by_one():
            narrow(store)
        assert search(reader, "secret") == []
        silent(standin, 2)
        with pytest.raises(StoreError, match=r"Of the 3 nodes"):
            search(reader)
