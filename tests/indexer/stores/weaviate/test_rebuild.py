"""A rebuilt index beside the one that is searched, by the same identity or another."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from indexer.errors import StoreOutdated
from indexer.settings import StoreTable
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import ENGINEERS, PUBLIC, found_texts, put, search
from tests.indexer.stores.weaviate.test_store import opened
from tests.services.weaviate_standin import WeaviateStandIn

DAY = 24 * 3600 * 10**9
OF_BEFORE = "Lorebot_998d7fc6d6b0"


def test_an_index_of_another_identity_says_which(table: StoreTable) -> None:
    opened(table).close()
    with pytest.raises(StoreOutdated, match=r"built by test-embedder 8 .* not by other 8"):
        opened(table, "other")


def test_a_rebuilt_index_is_seen_when_it_is_published(
    standin: WeaviateStandIn, table: StoreTable
) -> None:
    with closing(opened(table)) as old, closing(opened(table, "new", rebuild=True)) as new:
        put(old, "one", "old")
        put(new, "one", "new")
        assert found_texts(old) == ["old"]
        new.publish()
        assert found_texts(new) == ["new"]
        for use in (search, WeaviateStore.documents, lambda store: put(store, "two", "x")):
            with pytest.raises(StoreOutdated, match="rebuilt by another embedder"):
                use(old)
    with closing(opened(table, "new")) as again:
        assert found_texts(again) == ["new"]
    assert len(standin.collections) == 2


def test_a_rebuild_that_was_interrupted_goes_on(table: StoreTable) -> None:
    opened(table).close()
    for name in ("one", "two"):
        with closing(opened(table, "new", rebuild=True)) as new:
            put(new, name, name)
    with closing(opened(table, "new", rebuild=True)) as new:
        assert sorted(new.documents()) == ["docs:one", "docs:two"]


def test_indexes_under_other_names_are_left_alone(table: StoreTable) -> None:
    neighbour = table.model_copy(update={"collection": "LorebotToo"})
    with closing(opened(neighbour)) as other:
        put(other, "one", "theirs")
        with closing(opened(table)) as store:
            store.publish()
            assert search(store) == []
        assert found_texts(other) == ["theirs"]


def test_several_may_open_a_new_index_at_once(standin: WeaviateStandIn, table: StoreTable) -> None:
    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: opened(table), range(6)))
    put(stores[0], "one", "apple")
    assert all(found_texts(store) == ["apple"] for store in stores)
    for store in stores:
        store.close()
    assert len(standin.collections) == 2


class TestSameIdentity:
    def test_everything_is_built_anew_beside(self, table: StoreTable) -> None:
        with closing(opened(table)) as old, closing(opened(table, rebuild=True)) as new:
            put(old, "one", "old")
            assert new.documents() == {}
            put(new, "one", "new")
            assert found_texts(old) == ["old"]
            new.publish()
        with closing(opened(table)) as again:
            assert found_texts(again) == ["new"]

    @pytest.mark.parametrize(
        "use",
        [
            WeaviateStore.documents,
            WeaviateStore.check,
            search,
            lambda store: put(store, "two", "two"),
            lambda store: store.set_audience("docs:one", ENGINEERS),
            lambda store: store.delete("docs:one"),
            lambda store: store.frequencies(["new"], PUBLIC),
        ],
    )
    def test_who_has_the_old_one_open_goes_on_with_the_new(
        self, table: StoreTable, use: Callable[[WeaviateStore], object]
    ) -> None:
        with closing(opened(table)) as reader, closing(opened(table)) as expected:
            put(reader, "one", "old")
            with closing(opened(table, rebuild=True)) as new:
                put(new, "one", "new")
                new.publish()
            use(reader)
            assert reader.documents() == expected.documents()
            assert found_texts(reader) == found_texts(expected)

    def test_several_threads_go_on_at_once(self, table: StoreTable) -> None:
        with closing(opened(table)) as reader, ThreadPoolExecutor(4) as threads:
            for turn in range(3):
                with closing(opened(table, rebuild=True)) as new:
                    put(new, "one", f"turn {turn}")
                    new.publish()
                found = threads.map(lambda _: found_texts(reader), range(8))
                assert all(texts == [f"turn {turn}"] for texts in found)

    def test_only_the_published_one_is_left(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        opened(table).close()
        for _ in range(3):
            with closing(opened(table, rebuild=True)) as new:
                new.publish()
        assert len(standin.collections) == 2

    def test_an_index_of_before_there_were_generations_opens_and_is_rebuilt(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        with closing(opened(table)) as old:
            put(old, "one", "old")
            assert sorted(standin.collections) == [OF_BEFORE, f"{OF_BEFORE}_chunks"]
        with closing(opened(table, rebuild=True)) as new:
            assert standin.aliases == {"Lorebot": OF_BEFORE}
            new.publish()
        assert OF_BEFORE not in standin.collections

    def test_a_clock_that_went_back_does_not_reuse_the_published_name(
        self, table: StoreTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with closing(opened(table, rebuild=True)) as new:
            put(new, "one", "published")
            new.publish()
        now = time.time_ns()
        monkeypatch.setattr(time, "time_ns", lambda: now - DAY)
        with closing(opened(table, rebuild=True)) as again:
            assert again.documents() == {}


class TestLeftovers:
    def test_one_of_the_same_identity_is_continued_not_added_to(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        opened(table).close()
        for name in ("one", "two"):
            with closing(opened(table, rebuild=True)) as new:
                put(new, name, name)
        with closing(opened(table, rebuild=True)) as new:
            assert sorted(new.documents()) == ["docs:one", "docs:two"]
        assert len(standin.collections) == 4

    def test_one_of_another_identity_stays_a_day_since_it_may_be_under_way(
        self, standin: WeaviateStandIn, table: StoreTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened(table).close()
        with closing(opened(table, "other", rebuild=True)) as other:
            put(other, "one", "theirs")
            opened(table, rebuild=True).close()
            assert found_texts(other) == ["theirs"]
            now = time.time_ns()
            monkeypatch.setattr(time, "time_ns", lambda: now + 2 * DAY)
            opened(table, rebuild=True).close()
            with pytest.raises(StoreOutdated, match="rebuilt"):
                search(other)
        assert len(standin.collections) == 4

    def test_what_a_publisher_could_not_remove_is_not_taken_for_a_rebuild(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        with closing(opened(table)) as old:
            put(old, "one", "old")
        before = dict(standin.collections)
        with closing(opened(table, rebuild=True)) as new:
            new.publish()
        standin.collections.update(before)
        with closing(opened(table, rebuild=True)) as again:
            assert again.documents() == {}
        assert OF_BEFORE not in standin.collections

    def test_a_rebuild_that_another_one_replaced_does_not_go_on_in_what_is_searched(
        self, standin: WeaviateStandIn, table: StoreTable
    ) -> None:
        opened(table).close()
        with closing(opened(table, rebuild=True)) as slow:
            standin.collections.clear()
            with closing(opened(table, rebuild=True)) as fast:
                fast.publish()
            with pytest.raises(StoreOutdated, match="rebuilt"):
                put(slow, "one", "text")
