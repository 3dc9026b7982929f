"""The stores that the contract is run on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from indexer.settings import StoreTable
from indexer.stores.base import Store
from indexer.stores.sqlite import SqliteStore
from indexer.stores.weaviate.server import WeaviateServer
from indexer.stores.weaviate.store import WeaviateStore
from tests.services.weaviate_standin import WeaviateStandIn

DIMENSION = 8
OpenStore = Callable[[Path], Store]
"""Opens the one index of a folder."""

_PREFIX = "LorebotTest"


@pytest.fixture(scope="session", params=["sqlite", "weaviate-standin", "weaviate"])
def open_store(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    with _STORES[request.param]() as open_store:
        yield open_store


@contextmanager
def _sqlite() -> Iterator[OpenStore]:
    yield lambda folder: SqliteStore(folder / "index.sqlite", "test-embedder", DIMENSION)


@contextmanager
def _weaviate_standin() -> Iterator[OpenStore]:
    with WeaviateStandIn() as standin:
        table = StoreTable(kind="weaviate", url=standin.url, grpc_port=standin.grpc_port)
        yield _opening(table)


@contextmanager
def _weaviate() -> Iterator[OpenStore]:
    """A real server, in collections of our own, which are removed at the end."""
    url = os.environ.get("LOREBOT_TEST_WEAVIATE_URL", "")
    if not url:
        pytest.skip("set LOREBOT_TEST_WEAVIATE_URL (and _GRPC, _API_KEY) to run this on Weaviate")
    host, _, port = os.environ.get("LOREBOT_TEST_WEAVIATE_GRPC", ":50051").rpartition(":")
    key = os.environ.get("LOREBOT_TEST_WEAVIATE_API_KEY", "")
    table = StoreTable(
        kind="weaviate",
        url=url,
        grpc_host=host,
        grpc_port=int(port),
        api_key=SecretStr(key) if key else None,
    )
    try:
        yield _opening(table)
    finally:
        _remove_collections(table)


_STORES = {"sqlite": _sqlite, "weaviate-standin": _weaviate_standin, "weaviate": _weaviate}


def _opening(table: StoreTable) -> OpenStore:
    def open_weaviate(folder: Path) -> Store:
        name = _PREFIX + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        return WeaviateStore(
            table.model_copy(update={"collection": name}), "test-embedder", DIMENSION
        )

    return open_weaviate


def _remove_collections(table: StoreTable) -> None:
    server = WeaviateServer(table)
    for alias in server.client.alias.list_all():
        if alias.startswith(_PREFIX):
            server.client.alias.delete(alias_name=alias)
    for name in server.client.collections.list_all():
        if name.startswith(_PREFIX):
            server.client.collections.delete(name)
    server.close()
