"""Read and write the two Weaviate collections of one index, and count reachable replicas."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from weaviate.classes.config import ConsistencyLevel
from weaviate.classes.query import Filter, MetadataQuery
from weaviate.collections import Collection
from weaviate.collections.classes.cluster import NodeVerbose
from weaviate.collections.classes.filters import FilterReturn
from weaviate.collections.classes.internal import Object

from indexer.documents import Vectors
from indexer.errors import StoreError
from indexer.stores.weaviate.schema import (
    CHUNK_PROPERTIES,
    VECTOR,
    WORDS,
    Hit,
    Names,
    Record,
    Row,
    chunk_uuid,
    document_uuid,
)
from indexer.stores.weaviate.server import WeaviateServer

Objects = Collection[dict[str, Any], None]

Item = TypeVar("Item")

_BATCH_SIZE = 200
_AGREED = MetadataQuery(is_consistent=True)
_MAX_DETAIL = 300
_COUNT_VALID_SECONDS = 1.0
# An unhealthy node lags behind in cluster messages, but it is reachable and receives writes.
_PRESENT = {"HEALTHY", "UNHEALTHY"}


class WeaviateCollections:
    """Records and chunks of one index. All methods raise StoreError.

    Writes use consistency level ALL: they are on every node that the server takes to be alive
    before the call returns. A node that was away comes back with its old objects, among them
    documents deleted or restricted since. Chunks are still read at level ONE, because only their
    record makes them current. A record is ``agreed`` when a majority of the nodes hold the same: a
    search at QUORUM compares them, but returns the object of the node that was asked, however old.
    """

    def __init__(self, server: WeaviateServer, names: Names) -> None:
        self._call = server.call
        documents: Objects = server.client.collections.use(names.documents)
        chunks: Objects = server.client.collections.use(names.chunks)
        self._documents = documents.with_consistency_level(ConsistencyLevel.ALL)
        self._chunks = chunks.with_consistency_level(ConsistencyLevel.ALL)
        config = self._call(documents.config.get)
        self.replicas = _Replicas(server, names, config.replication_config.factor)
        enough = ConsistencyLevel.QUORUM if self.replicas.replicated else ConsistencyLevel.ONE
        self._read_documents = documents.with_consistency_level(enough)
        self._read_chunks = chunks.with_consistency_level(ConsistencyLevel.ONE)

    def records(self, document_ids: Iterable[str]) -> dict[str, Record]:
        """The records of these documents, if they exist, agreed or not."""
        found: dict[str, Record] = {}
        fetch = self._read_documents.query.fetch_objects_by_ids
        for part in _parts([document_uuid(one) for one in document_ids]):
            page = self._call(partial(fetch, part, limit=len(part), return_metadata=_AGREED))
            found |= {record.id: record for record in self._read(page.objects)}
        return found

    def agreed_records(self, document_ids: Iterable[str]) -> dict[str, Record]:
        """The records of these documents that are the same on a majority of the nodes."""
        return {name: one for name, one in self.records(document_ids).items() if one.agreed}

    def all_records(self) -> Iterator[Record]:
        fetch = self._read_documents.query.fetch_objects
        last = UUID(int=0)
        while True:
            page = self._call(
                partial(fetch, limit=_BATCH_SIZE, after=last, return_metadata=_AGREED)
            )
            if not page.objects:
                return
            yield from self._read(page.objects)
            last = page.objects[-1].uuid

    def look(self) -> None:
        """Read one record, if there is any, in the way that searches do."""
        self._call(partial(self._read_documents.query.fetch_objects, limit=1))

    def write_record(self, record: Record) -> None:
        self._insert(self._documents, [record.written()])

    def remove_record(self, document_id: str) -> None:
        self._delete(self._documents, Filter.by_id().equal(document_uuid(document_id)))

    def write_chunks(self, rows: Sequence[Row]) -> None:
        for part in _parts(rows):
            self._insert(self._chunks, part)

    def read_chunks(self, record: Record) -> list[tuple[dict[str, Any], object]]:
        """Properties and vector of each chunk of the current version, in order."""
        uuids = [chunk_uuid(record.id, record.version, number) for number in range(record.chunks)]
        found: dict[UUID, tuple[dict[str, Any], object]] = {}
        fetch = self._read_chunks.query.fetch_objects_by_ids
        for part in _parts(uuids):
            page = self._call(partial(fetch, part, limit=len(part), include_vector=[VECTOR]))
            found |= {one.uuid: (dict(one.properties), one.vector[VECTOR]) for one in page.objects}
        return [found[one] for one in uuids if one in found]

    def remove_chunks(self, document_id: str, *, before: int | None = None) -> None:
        """Delete the chunks of versions below ``before``, or all of them."""
        condition: FilterReturn = Filter.by_property("document_id").equal(document_id)
        if before is not None:
            condition = condition & Filter.by_property("version").less_than(before)
        self._delete(self._chunks, condition)

    def nearest(self, vector: Vectors, limit: int, condition: FilterReturn) -> list[Hit]:
        """The dense leg: the nearest chunks by cosine; ``vector`` has shape (dimension,)."""
        found = self._call(
            lambda: self._read_chunks.query.near_vector(
                vector.tolist(),
                limit=limit,
                filters=condition,
                target_vector=VECTOR,
                include_vector=[VECTOR],
                return_properties=CHUNK_PROPERTIES,
            )
        )
        return [
            Hit.read(each.uuid.int, each.properties, each.vector[VECTOR], vector, 0.0)
            for each in found.objects
        ]

    def matching(
        self, terms: Sequence[str], vector: Vectors, limit: int, condition: FilterReturn
    ) -> list[Hit]:
        """The lexical leg: BM25 over any of the terms; ``vector`` is used for the similarity."""
        found = self._call(
            lambda: self._read_chunks.query.bm25(
                " ".join(terms),
                query_properties=list(WORDS),
                limit=limit,
                filters=condition,
                include_vector=[VECTOR],
                return_properties=CHUNK_PROPERTIES,
                return_metadata=MetadataQuery(score=True),
            )
        )
        return [
            Hit.read(
                each.uuid.int,
                each.properties,
                each.vector[VECTOR],
                vector,
                each.metadata.score or 0.0,
            )
            for each in found.objects
        ]

    def count(self, condition: FilterReturn) -> int:
        """The number of chunks that fulfil a condition."""
        counted = self._call(
            lambda: self._read_chunks.aggregate.over_all(filters=condition, total_count=True)
        )
        return counted.total_count or 0

    def _read(self, objects: Iterable[Object[dict[str, Any], None]]) -> Iterator[Record]:
        for one in objects:
            # With one replica the server compares nothing and reports no object as consistent.
            agreed = not self.replicas.replicated or one.metadata.is_consistent is True
            yield Record.read(one.properties, agreed=agreed)

    def _insert(self, collection: Objects, rows: Sequence[Row]) -> None:
        result = self._call(lambda: collection.data.insert_many(rows))
        if result.has_errors:
            reasons = sorted({error.message for error in result.errors.values()})
            raise StoreError(
                f"Weaviate did not take {len(result.errors)} of {len(rows)} objects "
                f"({'; '.join(reasons)[:_MAX_DETAIL]}); nothing of them is shown. "
                "Correct the cause and run `lorebot-index sync` again."
            )

    def _delete(self, collection: Objects, condition: FilterReturn) -> None:
        """Delete all that match; the server deletes 10,000 per request by default."""
        while True:
            result = self._call(lambda: collection.data.delete_many(where=condition))
            if result.matches == 0:
                return
            if result.failed or not result.successful:
                raise StoreError(
                    f"Weaviate did not delete {result.failed} of {result.matches} objects; check "
                    "its log and run `lorebot-index sync` again."
                )


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Batches small enough for one message."""
    for start in range(0, len(items), _BATCH_SIZE):
        yield items[start : start + _BATCH_SIZE]


class _Replicas:
    """Counts the reachable replicas of an index; with a ``factor`` of 1 it asks nothing.

    Weaviate applies a consistency level to the nodes that it takes to be alive: ALL leaves out a
    node that is away, and the last node alone is a QUORUM. So replicas are counted here.
    """

    def __init__(self, server: WeaviateServer, names: Names, factor: int) -> None:
        self._server = server
        self._collections = (names.documents, names.chunks)
        self._factor = factor
        self._counted = (factor, float("-inf"))

    @property
    def replicated(self) -> bool:
        return self._factor > 1

    def check_majority(self) -> None:
        """Raises StoreError unless a majority was reachable within the last second."""
        count, moment = self._counted
        self._check_majority(
            count if time.monotonic() - moment < _COUNT_VALID_SECONDS else self._count()
        )

    def check_all(self) -> None:
        """Raises StoreError unless all are reachable."""
        count = self._count()
        if count < self._factor:
            raise StoreError(
                f"{self._said(count)}; new text waits until all can be, so that no node lacks it. "
                "Start what is away and run `lorebot-index sync` again."
            )

    def all_reachable(self) -> bool:
        """Whether all are reachable now. Raises StoreError unless a majority is."""
        count = self._count()
        self._check_majority(count)
        return count >= self._factor

    def _check_majority(self, count: int) -> None:
        if count <= self._factor // 2:
            raise StoreError(
                f"{self._said(count)}; they might hold what has been deleted elsewhere, so "
                "nothing is shown or changed. Start more of them."
            )

    def _said(self, count: int) -> str:
        return (
            f"Of the {self._factor} nodes that hold each object of Weaviate at {self._server.url}, "
            f"{count} can be reached"
        )

    def _count(self) -> int:
        """The number of reachable replicas of the shard that has the fewest."""
        if not self.replicated:
            return self._factor
        count = min(self._copies(name) for name in self._collections)
        self._counted = (count, time.monotonic())
        return count

    def _copies(self, name: str) -> int:
        nodes = self._server.client.cluster.nodes
        # A node that is away may be missing from the list, so shards are counted, not nodes.
        listed: list[NodeVerbose] = self._server.call(lambda: nodes(name, output="verbose"))
        shards = Counter(
            shard.name
            for node in listed
            if node.status in _PRESENT
            for shard in node.shards or ()
            if shard.collection == name
        )
        return min(shards.values(), default=0)
