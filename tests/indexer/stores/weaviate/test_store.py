"""A Weaviate server that is away, busy, slow, or does half of what it was asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import pytest
from pydantic import SecretStr

from indexer.errors import StoreError
from indexer.settings import StoreTable
from indexer.stores.weaviate.server import WeaviateServer
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.conftest import DIMENSION
from tests.contracts.test_store import ENGINEERS, found_texts, put, search
from tests.services.weaviate_standin import Fault, WeaviateStandIn, slow

KEY = "a-key-that-nobody-should-read"


def opened(table: StoreTable, identity: str = "test-embedder", **given: object) -> WeaviateStore:
    return WeaviateStore(table, identity, DIMENSION, **given)  # type: ignore[arg-type]


def times(count: int, status: Fault, name: str = "") -> Callable[[str], Fault | None]:
    """The first calls fail, of one name or of any."""
    left = iter(range(count))

    def fault(call: str) -> Fault | None:
        return status if name in call and next(left, None) is not None else None

    return fault


class TestAway:
    def test_a_server_that_cannot_be_reached_is_named(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        standin.stop()
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+ cannot be reached; check"):
            opened(table)
        standin.start()

    def test_calls_end_in_time_and_work_again_when_the_server_is_back(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        with closing(opened(table, seconds=1)) as store:
            put(store, "one", "apple")
            standin.stop()
            began = time.monotonic()
            with pytest.raises(StoreError, match="did not answer within 1 seconds"):
                search(store)
            with pytest.raises(StoreError, match="did not answer"):
                put(store, "one", "pear")
            assert time.monotonic() - began < 4
            standin.start()
            assert found_texts(store) == ["apple"]

    def test_a_restart_is_waited_for(self, standin: WeaviateStandIn, table: StoreTable) -> None:
        with closing(opened(table)) as store, ThreadPoolExecutor(1) as threads:
            put(store, "one", "apple")
            standin.stop()
            searching = threads.submit(found_texts, store)
            time.sleep(0.5)
            standin.start()
            assert searching.result() == ["apple"]

    def test_an_index_that_cannot_be_opened_leaves_no_connection(
        self, table: StoreTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed: list[WeaviateServer] = []
        close = WeaviateServer.close

        def closing_and_told(server: WeaviateServer) -> None:
            closed.append(server)
            close(server)

        def away(*_arguments: object) -> None:
            raise StoreError("It went away just then.")

        monkeypatch.setattr(WeaviateServer, "close", closing_and_told)
        monkeypatch.setattr("indexer.stores.weaviate.store.WeaviateCollections", away)
        with pytest.raises(StoreError, match="just then"):
            opened(table)
        assert len(closed) == 1

    def test_a_check_asks_once_however_much_is_indexed_and_tells(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        with closing(opened(table, seconds=0.5)) as store:
            for number in range(3):
                put(store, f"{number}", "apple")
            before = len(standin.calls)
            store.check()
            assert standin.calls[before:] == ["Search"]
            standin.stop()
            with pytest.raises(StoreError, match="did not answer"):
                store.check()

    def test_a_wrong_grpc_port_is_named(self, standin: WeaviateStandIn, table: StoreTable) -> None:
        wrong = table.model_copy(update={"grpc_port": 1})
        with (
            closing(opened(wrong, seconds=0.5)) as store,
            pytest.raises(StoreError, match=r"gRPC at 127\.0\.0\.1:1\).*`grpc_port`"),
        ):
            search(store)


class TestBusy:
    @pytest.mark.parametrize("name", ["GET /meta", "GET /aliases", "POST /schema", "POST /aliases"])
    def test_a_server_that_is_just_starting_is_asked_again(
        self, standin: WeaviateStandIn, table: StoreTable, name: str
    ) -> None:
        standin.fault = times(2, grpc.StatusCode.UNAVAILABLE, name)
        with closing(opened(table)) as store:
            assert store.documents() == {}

    def test_one_that_stays_busy_is_not_asked_for_ever(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        standin.fault = times(1000, grpc.StatusCode.UNAVAILABLE)
        with pytest.raises(StoreError, match="is not ready; wait"):
            opened(table)
        assert len(standin.calls) == 5

    def test_searches_and_writes_are_repeated(
        self, standin: WeaviateStandIn, store: WeaviateStore
    ) -> None:
        for name in ("BatchObjects", "BatchDelete", "Search", "Aggregate"):
            standin.fault = times(2, grpc.StatusCode.UNAVAILABLE, name)
            given = put(store, "one", "apple", name)
            assert found_texts(store, "apple")[0] == "apple"
            assert store.frequencies(["apple"], given.audience).containing == {"apple": 1}

    def test_a_slow_server_is_not_waited_for_longer_than_asked(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        with closing(opened(table, seconds=0.3)) as store:
            standin.fault = slow(1)
            began = time.monotonic()
            with pytest.raises(StoreError, match=r"did not answer within 0\.3 seconds"):
                search(store)
            assert time.monotonic() - began < 1
        with pytest.raises(StoreError, match=r"did not answer within 0\.3 seconds"):
            opened(table, seconds=0.3)


class TestCopies:
    def test_more_copies_than_nodes_is_said_in_the_servers_words(self, table: StoreTable) -> None:
        with pytest.raises(StoreError, match="not enough storage replicas"):
            opened(table.model_copy(update={"replication_factor": 3}))


class TestHalfDone:
    def test_a_batch_refused_in_part_is_an_error_and_the_old_version_stays(
        self, standin: WeaviateStandIn, store: WeaviateStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        put(store, "one", "old text")
        standin.refusal = lambda new: "disk full" if new.properties.get("position") == 1 else ""
        with pytest.raises(StoreError, match=r"1 of 3 objects \(disk full\).*sync"):
            put(store, "one", "new first", "new secret", "new third")
        assert found_texts(store) == ["old text"]
        assert "secret" not in caplog.text

    def test_a_batch_refused_whole_is_an_error(
        self, standin: WeaviateStandIn, store: WeaviateStore
    ) -> None:
        standin.refusal = lambda new: "disk full"
        with pytest.raises(StoreError, match="disk full"):
            put(store, "one", "text")

    def test_deletions_go_on_beyond_the_limit_of_one(
        self, standin: WeaviateStandIn, store: WeaviateStore
    ) -> None:
        standin.deletions_at_once = 2
        put(store, "one", *[f"text {number}" for number in range(7)])
        put(store, "one", "only text")
        (chunks,) = (one for name, one in standin.collections.items() if name.endswith("_chunks"))
        assert len(chunks.objects) == 1

    def test_many_chunks_are_written_read_and_moved_in_parts(self, store: WeaviateStore) -> None:
        given = put(store, "one", *[f"number {number}" for number in range(450)])
        store.set_audience(given.id, ENGINEERS)
        assert len(search(store, audience=ENGINEERS, limit=1000, candidates=1000)) == 450
        assert search(store) == []

    def test_many_documents_are_all_listed(
        self, standin: WeaviateStandIn, store: WeaviateStore
    ) -> None:
        for number in range(250):
            put(store, f"{number:03}")
        assert list(store.documents()) == [f"docs:{number:03}" for number in range(250)]


class TestKey:
    @pytest.fixture
    def guarded(self, standin: WeaviateStandIn, table: StoreTable) -> StoreTable:
        standin.api_key = KEY
        return table.model_copy(update={"api_key": SecretStr(KEY)})

    def test_the_right_key_opens_and_is_logged_nowhere(
        self, guarded: StoreTable, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with closing(opened(guarded)) as store:
            put(store, "one", "apple")
            assert found_texts(store) == ["apple"]
        assert KEY not in caplog.text + repr(guarded)

    @pytest.mark.parametrize("key", [None, SecretStr("another-wrong-key")])
    def test_a_wrong_key_is_refused_without_being_repeated(
        self, guarded: StoreTable, key: SecretStr | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with pytest.raises(
            StoreError, match="does not accept the API key; set `api_key`"
        ) as raised:
            opened(guarded.model_copy(update={"api_key": key}))
        assert "another-wrong-key" not in caplog.text + str(raised.value)

    def test_a_key_that_is_withdrawn_is_named_too(
        self, standin: WeaviateStandIn, guarded: StoreTable
    ) -> None:
        with closing(opened(guarded)) as store:
            standin.api_key = "a-new-key"
            with pytest.raises(StoreError, match="does not accept the API key"):
                search(store)
            with pytest.raises(StoreError, match="does not accept the API key"):
                put(store, "one", "apple")


class TestAudience:
    def test_a_chunk_whose_readers_the_record_does_not_admit_is_not_shown(
        self, standin: WeaviateStandIn, store: WeaviateStore
    ) -> None:
        """Whatever happened to the filter or to the chunk, the record has the last word."""
        put(store, "one", "secret", audience=ENGINEERS)
        (chunks,) = (one for name, one in standin.collections.items() if name.endswith("_chunks"))
        for stored in chunks.objects.values():
            stored.properties["audience"] = ["public"]
        assert search(store, "secret") == []


def test_a_document_that_is_known_costs_one_look(
    standin: WeaviateStandIn, store: WeaviateStore
) -> None:
    """Two legs and the records of what they found; more only where something has changed."""
    put(store, "one", "apple")
    search(store, "apple")
    standin.calls.clear()
    search(store, "apple")
    assert standin.calls == ["Search"] * 3
