"""Any of our stores as a vector store of LlamaIndex, for one reader."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from pydantic import PrivateAttr

from indexer.documents import Audience, Chunk, Document, Vectors
from indexer.errors import StoreError
from indexer.retrieval.nodes import text_node_of, unit_length
from indexer.stores.base import SearchRequest, Store

_LEXICAL = {VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE}
_CANDIDATES = 30


class AudienceVectorStore(BasePydanticVectorStore):
    """``store`` for LlamaIndex's indexes and query engines, as one ``audience`` may see it.

    Nodes need an ``audience`` in their metadata (a principal or a list of them) and may carry
    ``title``, ``headers``, ``url`` and ``source``. A query's filters are refused rather than
    ignored: what may be read is decided by the audience alone. Modes: default (vectors), hybrid
    (``alpha`` weighs the vectors, 0.5 if unset), text_search and sparse (words).
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    _store: Store = PrivateAttr()
    _audience: Audience = PrivateAttr()

    def __init__(self, store: Store, audience: Audience) -> None:
        super().__init__(stores_text=True)
        self._store = store
        self._audience = audience

    @classmethod
    def class_name(cls) -> str:
        return "AudienceVectorStore"

    @property
    def client(self) -> Store:
        return self._store

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Insert the nodes' documents whole; returns the ids they are found under.

        Raises AudienceError for a node without readers, StoreError for a document that is
        indexed already: it would lose the chunks that are not among these nodes.
        """
        added: list[str] = []
        by_document = sorted(nodes, key=_document_id)
        indexed = self._store.documents() if nodes else {}
        for document_id, group in groupby(by_document, key=_document_id):
            if document_id in indexed:
                raise StoreError(
                    f"{document_id} is indexed already; delete it first, and add all of its nodes "
                    "in one call (raise insert_batch_size)."
                )
            members = list(group)
            document = _document(document_id, members)
            chunks = [_chunk(document, position, node) for position, node in enumerate(members)]
            self._store.put(document, chunks, _vectors(members))
            added += [chunk.id for chunk in chunks]
        return added

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Remove exactly this document."""
        self._store.delete(ref_doc_id)

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        """The best chunks this store's audience may read, best first."""
        if query.filters or query.doc_ids or query.node_ids:
            raise StoreError("Filters are not supported; what may be read is up to the audience.")
        if query.query_embedding is None:
            raise StoreError("A query needs its embedding; give the index an embed_model.")
        found = self._store.search(
            SearchRequest(
                text=query.query_str or "",
                vector=unit_length(query.query_embedding),
                audience=self._audience,
                limit=query.similarity_top_k,
                candidates=max(_CANDIDATES, query.similarity_top_k),
                dense_weight=_dense_weight(query),
            )
        )
        passages = [passage for passage in found if passage.audience.admits(self._audience)]
        return VectorStoreQueryResult(
            nodes=[text_node_of(passage) for passage in passages],
            similarities=[passage.score for passage in passages],
            ids=[passage.chunk.id for passage in passages],
        )


def _dense_weight(query: VectorStoreQuery) -> float:
    if query.mode in _LEXICAL:
        return 0.0
    if query.mode is VectorStoreQueryMode.HYBRID:
        return 0.5 if query.alpha is None else query.alpha
    if query.mode is VectorStoreQueryMode.DEFAULT:
        return 1.0
    raise StoreError(f"The query mode {query.mode.value} is not supported; use hybrid.")


def _document_id(node: BaseNode) -> str:
    return node.ref_doc_id or node.node_id


def _document(document_id: str, nodes: Sequence[BaseNode]) -> Document:
    metadata = nodes[0].metadata
    return Document(
        id=document_id,
        source=str(metadata.get("source", "llamaindex")),
        title=str(metadata.get("title") or metadata.get("file_name") or document_id),
        text="\n\n".join(node.get_content(MetadataMode.NONE) for node in nodes),
        audience=Audience.parse(metadata.get("audience")),
        url=str(metadata.get("url", "")),
    )


def _chunk(document: Document, position: int, node: BaseNode) -> Chunk:
    headers = tuple(str(header) for header in node.metadata.get("headers", ()))
    return Chunk(document.id, position, node.get_content(MetadataMode.NONE), headers)


def _vectors(nodes: Sequence[BaseNode]) -> Vectors:
    return np.stack([unit_length(node.get_embedding()) for node in nodes])
