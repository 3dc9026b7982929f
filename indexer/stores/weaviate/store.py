"""The store beyond one machine: the index on a Weaviate server, shared by all replicas.

The lexical leg is Weaviate's BM25F (https://docs.weaviate.io/weaviate/concepts/search/keyword-search)
over terms that we stem ourselves, the dense leg its HNSW index (Malkov & Yashunin 2018).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from weaviate.classes.query import Filter
from weaviate.collections.classes.filters import FilterReturn

from indexer.documents import Audience, Chunk, Document, Passage, Vectors
from indexer.errors import StoreError
from indexer.settings import StoreTable
from indexer.stores.base import (
    Frequencies,
    IndexedDocument,
    SearchRequest,
    check_document,
    check_request,
)
from indexer.stores.fusion import fuse
from indexer.stores.terms import joined_term, query_terms
from indexer.stores.weaviate.alias import WeaviateAlias
from indexer.stores.weaviate.collections import WeaviateCollections
from indexer.stores.weaviate.schema import Hit, Record, Revision, chunk_properties, chunk_row
from indexer.stores.weaviate.server import RefusedByServer, WeaviateServer

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_SEARCH_SECONDS = 10.0


def _retried_after_rebuild(
    method: Callable[Concatenate[WeaviateStore, Given], Answer],
) -> Callable[Concatenate[WeaviateStore, Given], Answer]:
    """Run a method again, on the index published meanwhile, if its collections were replaced.

    Only for idempotent methods. Raises StoreOutdated where another identity built that index.
    """

    @wraps(method)
    def retried(self: WeaviateStore, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        used = self._collections
        try:
            return method(self, *args, **kwargs)
        except RefusedByServer:
            if not self._moved_from(used):
                raise
        return method(self, *args, **kwargs)

    return retried


class WeaviateStore:
    """Documents, chunks, terms, vectors and audiences in Weaviate; see the ``Store`` port.

    Weaviate has no transactions over several objects, so one object decides: a document's record
    names the version of its chunks that may be read and the audience that may read them. A writer
    marks the record unfinished, writes the new chunks, replaces the record, deletes the old chunks
    and only then writes the digest. This guarantees, whatever fails between two steps:

    - A search returns, of each document, the chunks of one version, written in full, that was
      current during the search; where it finds another version it searches again without that.
    - A passage is returned only to readers whom the record's audience admits; a new audience
      applies to all chunks at the moment the record is replaced.
    - A document is never lost: the old version is found until the new one is complete.
    - What a failure leaves behind is not found, and the next sync removes it.

    Two processes that write the SAME document at once may remove each other's chunks. The one that
    notices, before or after writing its digest, clears the digest and raises StoreError: the
    document may be missing until the next sync, which writes it again.

    In a cluster, searches, deletions and new audiences need a majority of the replicas. Text, a
    digest and the removal of a record are written only while all replicas are reachable: a node
    that missed a change is outvoted when it comes back, and the next sync updates it.

    Not guaranteed: ``frequencies`` counts both versions of a document that is being written. With
    the server's ASYNC_INDEXING the dense leg misses new chunks for a while.

    The legs are queried separately because Weaviate's hybrid query returns only the fused score,
    while a Passage also holds its cosine and its share of the best BM25 score.
    """

    def __init__(
        self,
        table: StoreTable,
        identity: str,
        dimension: int,
        *,
        rebuild: bool = False,
        seconds: float = 10.0,
    ) -> None:
        """``identity`` names embedder and chunker; a published index of another raises
        StoreOutdated. With ``rebuild`` the index is not searched before ``publish``. ``seconds``
        is the timeout of one request.
        """
        self._dimension = dimension
        self._server = WeaviateServer(table, seconds)
        try:
            self._alias = WeaviateAlias(self._server, table, f"{identity} {dimension}")
            self._alias.begin() if rebuild else self._alias.open()
            self._collections = WeaviateCollections(self._server, self._alias.names)
        except BaseException:
            self._server.close()
            raise
        self._writing = threading.Lock()
        self._moving = threading.Lock()
        self._known: dict[str, tuple[int, float]] = {}
        self._newest = 0

    @_retried_after_rebuild
    def documents(self, source: str | None = None) -> Mapping[str, IndexedDocument]:
        records = list(self._collections.all_records())
        listed = (record.listed() for record in sorted(records, key=lambda one: one.id))
        return {one.id: one for one in listed if source in (None, one.source)}

    @_retried_after_rebuild
    def check(self) -> None:
        self._collections.replicas.check_majority()
        self._collections.look()

    @_retried_after_rebuild
    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        check_document(document, chunks, vectors, self._dimension)
        parts = [chunk_properties(chunk, document.title) for chunk in chunks]
        with self._writing:
            self._collections.replicas.check_all()
            known = self._collections.records([document.id]).get(document.id)
            record = Record.of(document, len(chunks))
            self._replace(known or record, record, list(zip(parts, vectors, strict=True)))

    @_retried_after_rebuild
    def set_audience(self, document_id: str, audience: Audience) -> None:
        with self._writing:
            self._collections.replicas.check_majority()
            known = self._collections.records([document_id]).get(document_id)
            if known is None:
                return
            parts = self._collections.read_chunks(known)
            # If chunks are missing, an empty digest makes the next sync write the document again.
            digest = known.digest if len(parts) == known.chunks else ""
            new = replace(known, audience=audience, digest=digest, chunks=len(parts))
            self._replace(known, new, parts)

    @_retried_after_rebuild
    def delete(self, document_id: str) -> None:
        with self._writing:
            self._collections.replicas.check_majority()
            known = self._collections.records([document_id]).get(document_id)
            if known is not None:
                self._collections.write_record(replace(known, version=0, digest="", chunks=0))
                self._collections.remove_chunks(document_id)
                # A node that still had the record would restore it on the others.
                if self._collections.replicas.all_reachable():
                    self._collections.remove_record(document_id)

    @_retried_after_rebuild
    def search(self, request: SearchRequest) -> list[Passage]:
        check_request(request, self._dimension)
        return self._search(request)

    @_retried_after_rebuild
    def frequencies(
        self, words: Sequence[str], audience: Audience, sources: frozenset[str] = frozenset()
    ) -> Frequencies:
        readable = _readable_by(audience, sources)
        terms = {word: joined_term(word) for word in words}
        count = self._collections.count
        containing = {
            word: count(readable & _containing(term)) if term else 0 for word, term in terms.items()
        }
        return Frequencies(count(readable), containing)

    def publish(self) -> None:
        """Make this the live index, atomically: the last step of a rebuild."""
        self._alias.publish()

    def close(self) -> None:
        self._server.close()

    def _replace(
        self, old: Record, new: Record, parts: Sequence[tuple[dict[str, Any], object]]
    ) -> None:
        """After each step what is read is correct, and the next sync can complete the rest."""
        current = replace(new, version=self._next_version(old))
        rows = [chunk_row(*part, current, number) for number, part in enumerate(parts)]
        self._collections.write_record(replace(old, digest=""))
        self._collections.write_chunks(rows)
        self._collections.write_record(replace(current, digest=""))
        self._collections.remove_chunks(current.id, before=current.version)
        # Before the digest, for earlier writes of others; after it, for those in between.
        self._check_no_other_writer(current)
        if self._collections.replicas.all_reachable():
            self._collections.write_record(current)
            self._check_no_other_writer(current)

    def _check_no_other_writer(self, current: Record) -> None:
        """Raises StoreError unless this version is current and complete.

        Where clocks differ the other writer's version may be the lower one, so we may have removed
        its chunks although it is current: then its digest is cleared as well.
        """
        found = self._collections.records([current.id]).get(current.id)
        ours = found is not None and found.version == current.version
        if ours and self._collections.count(_of_version(current)) == current.chunks:
            return
        if found is not None:
            self._collections.write_record(replace(found, digest=""))
        else:
            # Without a record no later sync would remove them.
            self._collections.remove_chunks(current.id)
        raise StoreError(
            f"Another process wrote {current.id} at the same time; the next sync completes it."
        )

    def _next_version(self, old: Record) -> int:
        """Microseconds since the epoch, strictly increasing; Weaviate's limit is 2**53."""
        now = time.time_ns() // 1000
        self._newest = max(now, self._newest + 1, old.version + 1)
        return self._newest

    def _search(self, request: SearchRequest) -> list[Passage]:
        """Search again until the excluded versions are exactly those that must not be read."""
        self._collections.replicas.check_majority()
        excluded: frozenset[Revision] = frozenset()
        seen: set[Revision] = set()
        deadline = time.monotonic() + _SEARCH_SECONDS
        while time.monotonic() < deadline:
            began = time.monotonic()
            dense, lexical = self._legs(request, excluded)
            revisions = {hit.revision for hit in (*dense, *lexical)}
            seen |= revisions
            records = self._collections.agreed_records({document_id for document_id, _ in seen})
            stale = frozenset(
                one for one in seen if not _may_be_read(one, records, request.audience)
            )
            complete = all(self._current_since(one) <= began for one in revisions)
            self._note_versions(records.values())
            if stale == excluded and complete:
                return _passages(request, dense, lexical, records)
            excluded = stale
        raise StoreError("The index changes faster than it can be read; ask again in a moment.")

    def _legs(
        self, request: SearchRequest, excluded: Iterable[Revision]
    ) -> tuple[list[Hit], list[Hit]]:
        condition = _readable_by(request.audience, request.sources)
        for document_id, version in sorted(excluded):
            other_document = Filter.by_property("document_id").not_equal(document_id)
            condition &= other_document | Filter.by_property("version").not_equal(version)
        limit = request.candidates
        terms = query_terms(request.text)
        return (
            self._collections.nearest(request.vector, limit, condition),
            self._collections.matching(terms, request.vector, limit, condition) if terms else [],
        )

    def _current_since(self, revision: Revision) -> float:
        """The earliest time at which this version is known to be current, else infinity.

        A version that was replaced never becomes current again.
        """
        version, moment = self._known.get(revision[0], (0, math.inf))
        return moment if version == revision[1] else math.inf

    def _note_versions(self, records: Iterable[Record]) -> None:
        now = time.monotonic()
        for record in records:
            if self._known.get(record.id, (0, 0.0))[0] != record.version:
                self._known[record.id] = (record.version, now)

    def _moved_from(self, used: WeaviateCollections) -> bool:
        """Whether the live index is now in other collections than these. Raises StoreOutdated."""
        with self._moving:
            if self._collections is used and self._alias.moved():
                self._collections = WeaviateCollections(self._server, self._alias.names)
            return self._collections is not used


def _readable_by(reader: Audience, sources: frozenset[str]) -> FilterReturn:
    admitted = Filter.by_property("audience").contains_any(list(reader.sorted()))
    if not sources:
        return admitted
    return admitted & Filter.by_property("source").contains_any(sorted(sources))


def _of_version(record: Record) -> FilterReturn:
    document = Filter.by_property("document_id").equal(record.id)
    return document & Filter.by_property("version").equal(record.version)


def _containing(term: str) -> FilterReturn:
    in_context = Filter.by_property("context_words").equal(term)
    return in_context | Filter.by_property("text_words").equal(term)


def _may_be_read(revision: Revision, records: Mapping[str, Record], reader: Audience) -> bool:
    record = records.get(revision[0])
    return record is not None and record.version == revision[1] and record.audience.admits(reader)


def _passages(
    request: SearchRequest,
    dense: Sequence[Hit],
    lexical: Sequence[Hit],
    records: Mapping[str, Record],
) -> list[Passage]:
    """The hits of both legs fused, best first; ``records`` holds the record of each hit."""
    scores = fuse(
        {hit.key: hit.similarity for hit in dense},
        {hit.key: hit.score for hit in lexical},
        request.dense_weight,
    )
    top = max((hit.score for hit in lexical), default=0.0) or 1.0
    hits = {hit.key: hit for hit in (*dense, *lexical)}
    found = [
        _passage(hit, records[hit.chunk.document_id], scores[hit.key], hit.score / top)
        for hit in hits.values()
    ]
    found.sort(key=lambda one: (-one.score, one.chunk.document_id, one.chunk.position))
    return found[: request.limit]


def _passage(hit: Hit, record: Record, score: float, lexical: float) -> Passage:
    return Passage(
        chunk=hit.chunk,
        title=record.title,
        audience=record.audience,
        score=score,
        similarity=hit.similarity,
        lexical=lexical,
        url=record.url,
        modified=record.modified_at(),
    )
