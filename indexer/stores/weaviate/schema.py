"""The schema of the two Weaviate collections of an index: document records, and their chunks."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
    VectorFilterStrategy,
)
from weaviate.classes.data import DataObject

from indexer.documents import Audience, Chunk, Document, Vectors
from indexer.stores.base import IndexedDocument
from indexer.stores.terms import index_terms

SCHEMA_VERSION = 2
VECTOR = "default"
WORDS = ("context_words^2", "text_words")
CHUNK_PROPERTIES = ["document_id", "version", "position", "headers", "text"]
_DOCUMENTS = re.compile(r"[^_]+_[0-9a-f]{12}(_(?P<generation>[0-9]+))?")
_NAMESPACE = uuid.UUID("4c6f7265-626f-5474-8000-000000000000")

Row = DataObject[dict[str, Any], None]
Revision = tuple[str, int]
"""A document's id and one of its versions."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one index's collections; the settings' name is an alias of the published ones.

    ``generation`` is when the rebuild began, in microseconds since the epoch; 0 for a first index.
    """

    documents: str
    generation: int = 0

    @classmethod
    def of(cls, alias: str, identity: str, generation: int = 0) -> Names:
        documents = f"{alias}_{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
        return cls(f"{documents}_{generation}" if generation else documents, generation)

    @classmethod
    def named(cls, documents: str) -> Names | None:
        """From the name of a collection of documents; None if we did not create it."""
        found = _DOCUMENTS.fullmatch(documents)
        return cls(documents, int(found["generation"] or 0)) if found else None

    @property
    def chunks(self) -> str:
        return f"{self.documents}_chunks"


@dataclass(frozen=True, slots=True)
class Record:
    """A document in the index: replacing this ONE object makes a version current.

    ``version`` is that of the chunks that may be read, 0 for none. An empty ``digest`` marks the
    document as unfinished: no source has that digest, so the next sync writes it again. A record
    on which the nodes of a cluster disagree is read as unfinished.
    """

    id: str
    source: str
    digest: str
    title: str
    url: str
    modified: str
    audience: Audience
    chunks: int
    version: int = 0
    agreed: bool = True

    @classmethod
    def of(cls, document: Document, chunks: int) -> Record:
        modified = document.modified.isoformat() if document.modified else ""
        return cls(
            id=document.id,
            source=document.source,
            digest=document.digest,
            title=document.title,
            url=document.url,
            modified=modified,
            audience=document.audience,
            chunks=chunks,
        )

    @classmethod
    def read(cls, properties: Mapping[str, Any], *, agreed: bool) -> Record:
        texts = {name: str(properties.get(name) or "") for name in _RECORD_TEXTS}
        if not agreed:
            texts["digest"] = ""
        return cls(
            agreed=agreed,
            id=str(properties["document_id"]),
            audience=Audience.parse(properties["audience"]),
            chunks=int(properties["chunks"]),
            version=int(properties["version"]),
            **texts,
        )

    def written(self) -> Row:
        properties = {name: getattr(self, name) for name in (*_RECORD_TEXTS, "chunks", "version")}
        properties |= {"document_id": self.id, "audience": list(self.audience.sorted())}
        return DataObject(properties=properties, uuid=document_uuid(self.id))

    def listed(self) -> IndexedDocument:
        return IndexedDocument(self.id, self.source, self.digest, self.audience, self.chunks)

    def modified_at(self) -> datetime | None:
        return datetime.fromisoformat(self.modified) if self.modified else None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found.

    ``similarity`` is its cosine with the question, computed here because the server's may be that
    of quantized vectors; ``score`` is its BM25 score, 0 in the dense leg.
    """

    key: int
    chunk: Chunk
    version: int
    similarity: float
    score: float

    @classmethod
    def read(
        cls,
        key: int,
        properties: Mapping[str, Any],
        vector: object,
        question: Vectors,
        score: float,
    ) -> Hit:
        chunk = Chunk(
            str(properties["document_id"]),
            int(properties["position"]),
            str(properties.get("text") or ""),
            tuple(properties.get("headers") or ()),
        )
        similarity = float(np.dot(np.asarray(vector, np.float32), question))
        return cls(key, chunk, int(properties["version"]), similarity, score)

    @property
    def revision(self) -> Revision:
        return self.chunk.document_id, self.version


def document_uuid(document_id: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, document_id)


def chunk_uuid(document_id: str, version: int, number: int) -> uuid.UUID:
    """``number`` counts the chunks of one version from 0."""
    return uuid.uuid5(_NAMESPACE, json.dumps([document_id, version, number]))


def chunk_properties(chunk: Chunk, title: str) -> dict[str, Any]:
    """The properties of a chunk that do not depend on version and audience."""
    return {
        "document_id": chunk.document_id,
        "position": chunk.position,
        "headers": list(chunk.headers),
        "text": chunk.text,
        "context_words": " ".join(index_terms(chunk.context(title))),
        "text_words": " ".join(index_terms(chunk.text)),
    }


def chunk_row(properties: Mapping[str, Any], vector: object, record: Record, number: int) -> Row:
    """A chunk as it is written for the version and audience of its document's record."""
    return DataObject(
        properties={
            **properties,
            "source": record.source,
            "version": record.version,
            "audience": list(record.audience.sorted()),
        },
        uuid=chunk_uuid(record.id, record.version, number),
        vector={VECTOR: np.asarray(vector, np.float32).tolist()},
    )


def documents_collection(names: Names, identity: str, factor: int) -> dict[str, Any]:
    """Arguments of ``collections.create``; the description is the index's identity."""
    kept = [_kept(name) for name in _RECORD_TEXTS]
    return {
        "name": names.documents,
        "description": identity,
        "properties": [_exact("document_id"), _readers(), *kept, _kept_number("chunks"), _number()],
        "vector_config": Configure.Vectors.self_provided(),
        "replication_config": Configure.replication(factor=factor),
    }


def chunks_collection(names: Names, identity: str, factor: int) -> dict[str, Any]:
    """Arguments of ``collections.create``; terms are stored stemmed and matched as they are."""
    nearest = Configure.VectorIndex.hnsw(
        distance_metric=VectorDistances.COSINE,
        filter_strategy=VectorFilterStrategy.ACORN,
        quantizer=Configure.VectorIndex.Quantizer.rq(),
    )
    return {
        "name": names.chunks,
        "description": identity,
        "properties": [
            _exact("document_id"),
            _exact("source"),
            _readers(),
            _number(),
            _kept_number("position"),
            _kept("headers", DataType.TEXT_ARRAY),
            _kept("text"),
            _words("context_words"),
            _words("text_words"),
        ],
        "vector_config": Configure.Vectors.self_provided(vector_index_config=nearest),
        "inverted_index_config": Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        "replication_config": Configure.replication(factor=factor),
    }


_RECORD_TEXTS = ("source", "digest", "title", "url", "modified")


def _exact(name: str, kind: DataType = DataType.TEXT) -> Property:
    """Compared whole: under any other tokenization ``eng`` would match ``eng-all``."""
    return Property(
        name=name,
        data_type=kind,
        tokenization=Tokenization.FIELD,
        index_filterable=True,
        index_searchable=False,
    )


def _readers() -> Property:
    return _exact("audience", DataType.TEXT_ARRAY)


def _number() -> Property:
    return Property(
        name="version", data_type=DataType.INT, index_filterable=True, index_range_filters=True
    )


def _kept(name: str, kind: DataType = DataType.TEXT) -> Property:
    return Property(name=name, data_type=kind, index_filterable=False, index_searchable=False)


def _kept_number(name: str) -> Property:
    return Property(name=name, data_type=DataType.INT, index_filterable=False)


def _words(name: str) -> Property:
    return Property(
        name=name,
        data_type=DataType.TEXT,
        tokenization=Tokenization.WHITESPACE,
        index_filterable=True,
        index_searchable=True,
    )
