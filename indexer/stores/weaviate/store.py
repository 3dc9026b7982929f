"""The store beyond one machine: the index in a Weaviate server, shared by all replicas."""

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

_MOST_SECONDS = 10.0


def _following(
    method: Callable[Concatenate[WeaviateStore, Given], Answer],
) -> Callable[Concatenate[WeaviateStore, Given], Answer]:
    """Asked again of the index that was published meanwhile, if this one is gone.

    Each method is one that may run twice. Raises StoreOutdated where another identity built that.
    """

    @wraps(method)
    def followed(self: WeaviateStore, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        used = self._collections
        try:
            return method(self, *args, **kwargs)
        except RefusedByServer:
            if not self._moved_from(used):
                raise
        return method(self, *args, **kwargs)

    return followed


class WeaviateStore:
    """Documents, chunks, words, vectors and audiences in Weaviate; see the ``Store`` port.

    Weaviate has no transaction over several objects, so one object decides: a document's record
    names the version of its chunks that may be read and who may read them. A writer marks the
    record unfinished, writes the new chunks, replaces the record, deletes the old chunks and only
    then writes the digest. Guaranteed therefore, whatever fails between two steps:

    - A search shows, of each document, the chunks of one version, written in full, that was
      current while it searched; where it met another it searches again without that one.
    - Nobody is shown what the record's audience does not admit; a new audience applies to all
      chunks at the moment the record is replaced.
    - A document is never lost: the old version is shown until the new one is complete.
    - What is left behind by a failure is not shown, and the next sync removes it.

    Two processes that write the SAME document at once may remove each other's chunks. Whoever
    notices, before or after its digest, takes the digest away and raises StoreError: the document
    may be missing until the next sync, but that one writes it again.

    In a cluster searches need a majority of the copies, and so does what takes away from readers.
    Only with all copies reachable is text written, a digest or the removal of a record: a node
    that missed a change is outvoted when it comes back, and the next sync reaches it.

    Not guaranteed: ``frequencies`` counts both versions of what is just being written. With the
    server's ASYNC_INDEXING the dense leg misses new chunks for a while.

    The legs are asked one by one rather than by a hybrid query: that returns the fused score
    alone, while a Passage also tells its cosine and its share of the lexical leg's best.
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
        StoreOutdated. With ``rebuild`` it is one that nobody searches before ``publish``.
        ``seconds`` is what the server may take for one answer.
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

    @_following
    def documents(self, source: str | None = None) -> Mapping[str, IndexedDocument]:
        records = list(self._collections.all_records())
        listed = (record.listed() for record in sorted(records, key=lambda one: one.id))
        return {one.id: one for one in listed if source in (None, one.source)}

    @_following
    def check(self) -> None:
        self._collections.nodes.check_most()
        self._collections.look()

    @_following
    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        check_document(document, chunks, vectors, self._dimension)
        parts = [chunk_properties(chunk, document.title) for chunk in chunks]
        with self._writing:
            self._collections.nodes.check_all()
            known = self._collections.records([document.id]).get(document.id)
            record = Record.of(document, len(chunks))
            self._replace(known or record, record, list(zip(parts, vectors, strict=True)))

    @_following
    def set_audience(self, document_id: str, audience: Audience) -> None:
        with self._writing:
            self._collections.nodes.check_most()
            known = self._collections.records([document_id]).get(document_id)
            if known is None:
                return
            parts = self._collections.read_chunks(known)
            # Chunks that are gone come back with the next sync, which knows no such digest.
            digest = known.digest if len(parts) == known.chunks else ""
            new = replace(known, audience=audience, digest=digest, chunks=len(parts))
            self._replace(known, new, parts)

    @_following
    def delete(self, document_id: str) -> None:
        with self._writing:
            self._collections.nodes.check_most()
            known = self._collections.records([document_id]).get(document_id)
            if known is not None:
                self._collections.write_record(replace(known, version=0, digest="", chunks=0))
                self._collections.remove_chunks(document_id)
                # A node that still has the record would give it back to the others.
                if self._collections.nodes.all_there():
                    self._collections.remove_record(document_id)

    @_following
    def search(self, request: SearchRequest) -> list[Passage]:
        check_request(request, self._dimension)
        return self._found(request)

    @_following
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
        """Make this the index that is searched, at once: the last step of a rebuild."""
        self._alias.publish()

    def close(self) -> None:
        self._server.close()

    def _replace(
        self, old: Record, new: Record, parts: Sequence[tuple[dict[str, Any], object]]
    ) -> None:
        """Each step leaves something that is right to read and that the next sync completes."""
        current = replace(new, version=self._next_version(old))
        rows = [chunk_row(*part, current, number) for number, part in enumerate(parts)]
        self._collections.write_record(replace(old, digest=""))
        self._collections.write_chunks(rows)
        self._collections.write_record(replace(current, digest=""))
        self._collections.remove_chunks(current.id, before=current.version)
        # Before, for what others did; after, for what they did between looking and writing.
        self._check_alone(current)
        if self._collections.nodes.all_there():
            self._collections.write_record(current)
            self._check_alone(current)

    def _check_alone(self, current: Record) -> None:
        """Raises StoreError unless this version is the current one and whole.

        The other's version may be the smaller one where clocks differ, so its chunks may have been
        removed by us although it is current: it is not to be called finished either.
        """
        found = self._collections.records([current.id]).get(current.id)
        ours = found is not None and found.version == current.version
        if ours and self._collections.count(_of_version(current)) == current.chunks:
            return
        if found is not None:
            self._collections.write_record(replace(found, digest=""))
        else:
            # Without a record nobody would ever remove them.
            self._collections.remove_chunks(current.id)
        raise StoreError(
            f"Another process wrote {current.id} at the same time; the next sync completes it."
        )

    def _next_version(self, old: Record) -> int:
        """Microseconds, used once; Weaviate takes numbers up to 2**53."""
        now = time.time_ns() // 1000
        self._newest = max(now, self._newest + 1, old.version + 1)
        return self._newest

    def _found(self, request: SearchRequest) -> list[Passage]:
        """Search until what was left out is exactly what must not be read."""
        self._collections.nodes.check_most()
        left_out: frozenset[Revision] = frozenset()
        met: set[Revision] = set()
        deadline = time.monotonic() + _MOST_SECONDS
        while time.monotonic() < deadline:
            began = time.monotonic()
            dense, lexical = self._legs(request, left_out)
            revisions = {hit.revision for hit in (*dense, *lexical)}
            met |= revisions
            records = self._collections.agreed_records({document_id for document_id, _ in met})
            stale = frozenset(
                one for one in met if not _may_be_read(one, records, request.audience)
            )
            whole = all(self._current_since(one) <= began for one in revisions)
            self._learn(records.values())
            if stale == left_out and whole:
                return _passages(request, dense, lexical, records)
            left_out = stale
        raise StoreError("The index changes faster than it can be read; ask again in a moment.")

    def _legs(
        self, request: SearchRequest, left_out: Iterable[Revision]
    ) -> tuple[list[Hit], list[Hit]]:
        condition = _readable_by(request.audience, request.sources)
        for document_id, version in sorted(left_out):
            other_document = Filter.by_property("document_id").not_equal(document_id)
            condition &= other_document | Filter.by_property("version").not_equal(version)
        limit = request.candidates
        terms = query_terms(request.text)
        return (
            self._collections.nearest(request.vector, limit, condition),
            self._collections.matching(terms, request.vector, limit, condition) if terms else [],
        )

    def _current_since(self, revision: Revision) -> float:
        """A moment at which this version was current; versions that were replaced never return."""
        version, moment = self._known.get(revision[0], (0, math.inf))
        return moment if version == revision[1] else math.inf

    def _learn(self, records: Iterable[Record]) -> None:
        now = time.monotonic()
        for record in records:
            if self._known.get(record.id, (0, 0.0))[0] != record.version:
                self._known[record.id] = (record.version, now)

    def _moved_from(self, used: WeaviateCollections) -> bool:
        """Whether there are other collections than these to ask. Raises StoreOutdated."""
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
    """Best first; each hit's record is among ``records``."""
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
