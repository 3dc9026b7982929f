"""Every store inside LlamaIndex's own index and retriever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from indexer.documents import Audience
from indexer.errors import AudienceError, StoreError
from indexer.retrieval.vector_store import AudienceVectorStore
from indexer.stores.base import Store
from tests.contracts.conftest import DIMENSION, OpenStore

PUBLIC = Audience.of("public")
ENGINEERS = Audience.of("group:eng")


@pytest.fixture
def store(open_store: OpenStore, tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def node(name: str, text: str, axis: int, audience: object = "public") -> TextNode:
    vector = [0.0] * DIMENSION
    vector[axis] = 2.0  # not of unit length: the store must not care
    return TextNode(
        id_=name, text=text, embedding=vector, metadata={"audience": audience, "title": name}
    )


def query(
    text: str, axis: int, mode: VectorStoreQueryMode = VectorStoreQueryMode.DEFAULT
) -> VectorStoreQuery:
    vector = [0.0] * DIMENSION
    vector[axis] = 1.0
    return VectorStoreQuery(query_embedding=vector, query_str=text, similarity_top_k=3, mode=mode)


def texts(store: AudienceVectorStore, asked: VectorStoreQuery) -> list[str]:
    return [found.get_content() for found in store.query(asked).nodes or ()]


def test_nodes_are_found_by_vector_by_words_and_by_both(store: Store) -> None:
    vectors = AudienceVectorStore(store, PUBLIC)
    vectors.add([node("a", "red apples", 0), node("b", "green pears", 1)])
    assert texts(vectors, query("pears", 0))[0] == "red apples"
    assert texts(vectors, query("pears", 0, VectorStoreQueryMode.TEXT_SEARCH))[0] == "green pears"
    assert set(texts(vectors, query("pears", 0, VectorStoreQueryMode.HYBRID))) == {
        "red apples",
        "green pears",
    }


def test_a_reader_sees_no_other_readers_nodes(store: Store) -> None:
    vectors = AudienceVectorStore(store, PUBLIC)
    vectors.add([node("a", "open", 0), node("b", "secret plans", 1, ["group:eng"])])
    for mode in (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID):
        assert texts(vectors, query("secret plans", 1, mode)) == ["open"]
    engineers = AudienceVectorStore(store, ENGINEERS)
    assert texts(engineers, query("secret plans", 1)) == ["secret plans"]


def test_a_node_without_readers_is_refused(store: Store) -> None:
    with pytest.raises(AudienceError):
        AudienceVectorStore(store, PUBLIC).add([TextNode(text="x", embedding=[1.0] * DIMENSION)])


def test_a_filter_is_refused_rather_than_ignored(store: Store) -> None:
    asked = query("x", 0)
    asked.filters = MetadataFilters(
        filters=[MetadataFilter(key="team", value="a", operator=FilterOperator.EQ)]
    )
    with pytest.raises(StoreError, match="audience"):
        AudienceVectorStore(store, PUBLIC).query(asked)


def test_a_document_is_never_replaced_by_a_part_of_itself(store: Store) -> None:
    vectors = AudienceVectorStore(store, PUBLIC)
    vectors.add([node("a", "first", 0)])
    with pytest.raises(StoreError, match="delete it first"):
        vectors.add([node("a", "second", 0)])
    vectors.delete("a")
    vectors.add([node("a", "second", 0)])
    assert texts(vectors, query("x", 0)) == ["second"]


def test_llamaindex_indexes_and_retrieves_through_it(store: Store) -> None:
    from llama_index.core import MockEmbedding

    vectors = AudienceVectorStore(store, PUBLIC)
    index = VectorStoreIndex(
        nodes=[
            TextNode(text="red apples", metadata={"audience": "public"}),
            TextNode(text="secret pears", metadata={"audience": "group:eng"}),
        ],
        storage_context=StorageContext.from_defaults(vector_store=vectors),
        embed_model=MockEmbedding(embed_dim=DIMENSION),
    )
    found = index.as_retriever(similarity_top_k=5).retrieve("pears")
    assert [one.node.get_content() for one in found] == ["red apples"]
