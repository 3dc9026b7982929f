"""An index that another embedder built is replaced at once, whichever store keeps it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from indexer.errors import IndexSettingsError, StoreOutdated
from indexer.settings import IndexSettings, StoreTable, load
from indexer.stores.blue_green import BlueGreen, blue_green
from indexer.stores.sqlite import SqliteStore
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.conftest import DIMENSION
from tests.contracts.test_store import found_texts, put

OfIdentity = Callable[[str], BlueGreen]


@pytest.fixture(params=["sqlite", "weaviate"])
def of_identity(request: pytest.FixtureRequest, tmp_path: Path) -> OfIdentity:
    """Of each identity, in the same settings."""
    table = StoreTable()
    if request.param == "weaviate":
        table = request.getfixturevalue("table")
    settings = IndexSettings(data_dir=tmp_path, store=table)
    return lambda identity: blue_green(settings, identity, DIMENSION)


def test_the_settings_say_which_store(tmp_path: Path, table: StoreTable) -> None:
    for given, expected in ((StoreTable(), SqliteStore), (table, WeaviateStore)):
        settings = IndexSettings(data_dir=tmp_path, store=given)
        with closing(blue_green(settings, "old", DIMENSION).open()) as store:
            assert isinstance(store, expected)


def test_a_rebuilt_index_takes_the_place_of_the_outdated_one(of_identity: OfIdentity) -> None:
    with closing(of_identity("old").open()) as old:
        put(old, "one", "old")
    new = of_identity("new")
    with pytest.raises(StoreOutdated):
        new.open()
    with closing(new.rebuild()) as rebuilt:
        put(rebuilt, "one", "new")
    with pytest.raises(StoreOutdated):
        new.open()
    with closing(new.rebuild()) as rebuilt:
        assert found_texts(rebuilt) == ["new"]
        new.publish()
    with closing(new.open()) as store:
        assert found_texts(store) == ["new"]
    with pytest.raises(StoreOutdated):
        of_identity("old").open()


def test_publishing_without_a_rebuild_changes_nothing(of_identity: OfIdentity) -> None:
    index = of_identity("old")
    with closing(index.open()) as store:
        put(store, "one", "text")
        index.publish()
        assert found_texts(store) == ["text"]


class TestSettings:
    def test_weaviate_is_set_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOREBOT_STORE_KIND", "weaviate")
        monkeypatch.setenv("LOREBOT_STORE_URL", "https://weaviate.example.org")
        monkeypatch.setenv("LOREBOT_STORE_API_KEY", "never-printed")
        settings = load(IndexSettings)
        assert settings.store.api_key is not None
        assert settings.store.api_key.get_secret_value() == "never-printed"
        assert "never-printed" not in repr(settings)
        assert settings.store.grpc_address == "weaviate.example.org:50051"
        assert settings.index_address == "Lorebot at https://weaviate.example.org"

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"kind": "weaviate"}, "name the server"),
            ({"kind": "sqlite", "url": "http://one:8080"}, "`url` is for"),
            ({"kind": "weaviate", "url": "one:8080"}, "url"),
            ({"kind": "weaviate", "url": "http://one:8080/path"}, "url"),
            ({"kind": "weaviate", "url": "http://key@one:8080"}, "url"),
            ({"kind": "weaviate", "url": "http://one", "collection": "lower"}, "collection"),
            ({"kind": "weaviate", "url": "http://one", "replication_factor": 0}, "replication"),
            ({"kind": "weaviate", "url": "http://one", "grpc_port": 70000}, "grpc_port"),
            ({"kind": "elsewhere"}, "kind"),
        ],
    )
    def test_mistakes_are_named(self, given: dict[str, object], problem: str) -> None:
        with pytest.raises(IndexSettingsError, match=problem):
            load(IndexSettings, store=given)
