"""What every store promises about sources: a choice among them narrows, and never widens."""

from indexer.stores.base import Store
from tests.contracts.test_store import ENGINEERS, PUBLIC, found_texts, put, store, unit

__all__ = ["store"]


class TestSources:
    def test_only_the_named_sources_are_searched(self, store: Store) -> None:
        for source in ("wiki", "wiki-old", "hr"):
            put(store, "one", f"apple of {source}", source=source)
        assert len(found_texts(store, "apple")) == 3
        assert found_texts(store, "apple", sources=frozenset({"wiki"})) == ["apple of wiki"]
        both = found_texts(store, "apple", sources=frozenset({"hr", "wiki-old"}))
        assert sorted(both) == ["apple of hr", "apple of wiki-old"]
        assert found_texts(store, "apple", sources=frozenset({"gone"})) == []

    def test_a_source_never_widens_what_a_reader_may_see(self, store: Store) -> None:
        put(store, "open", "public apple", source="wiki")
        put(store, "closed", "secret apple", source="wiki", audience=ENGINEERS)
        put(store, "elsewhere", "another apple", source="hr", audience=ENGINEERS)
        only = frozenset({"wiki"})
        assert found_texts(store, "apple", sources=only) == ["public apple"]
        assert found_texts(store, "apple", sources=only, audience=ENGINEERS) == ["secret apple"]
        assert found_texts(store, "apple") == ["public apple"]

    def test_changes_are_seen_in_a_source_too(self, store: Store) -> None:
        only = frozenset({"wiki"})
        one = put(store, "one", "apple", source="wiki")
        assert found_texts(store, "apple", sources=only) == ["apple"]
        store.set_audience(one.id, ENGINEERS)
        assert found_texts(store, "apple", sources=only) == []
        assert found_texts(store, "apple", sources=only, audience=ENGINEERS) == ["apple"]
        store.delete(one.id)
        assert found_texts(store, "apple", sources=only, audience=ENGINEERS) == []

    def test_a_crowd_in_other_sources_does_not_push_out_this_one(self, store: Store) -> None:
        for number in range(12):
            put(store, f"crowd-{number}", "apple apple", source="crowd")
        put(store, "one", "apple", source="wiki", vector=unit(1, 1))
        only = frozenset({"wiki"})
        assert found_texts(store, "apple", candidates=3, sources=only) == ["apple"]

    def test_words_are_counted_in_the_named_sources(self, store: Store) -> None:
        put(store, "one", "apple", "pear", source="wiki")
        put(store, "two", "apple", source="hr")
        counted = store.frequencies(["apple", "pear"], PUBLIC, frozenset({"wiki"}))
        assert (counted.chunks, counted.containing) == (2, {"apple": 1, "pear": 1})
