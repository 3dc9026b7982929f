"""A Weaviate stand-in of one's own, so that each test may break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from indexer.settings import StoreTable
from indexer.stores.weaviate.store import WeaviateStore
from tests.contracts.conftest import DIMENSION
from tests.services.weaviate_standin import WeaviateStandIn


@pytest.fixture
def standin() -> Iterator[WeaviateStandIn]:
    with WeaviateStandIn() as standin:
        yield standin


@pytest.fixture
def table(standin: WeaviateStandIn) -> StoreTable:
    return StoreTable(kind="weaviate", url=standin.url, grpc_port=standin.grpc_port)


@pytest.fixture
def store(table: StoreTable) -> Iterator[WeaviateStore]:
    store = WeaviateStore(table, "test-embedder", DIMENSION, seconds=5)
    yield store
    store.close()


@pytest.fixture
def reader(table: StoreTable, store: WeaviateStore) -> Iterator[WeaviateStore]:
    """The same index in another process."""
    reader = WeaviateStore(table, "test-embedder", DIMENSION, seconds=5)
    yield reader
    reader.close()
