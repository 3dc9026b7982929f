"""Sync a source into the index: compare the two to make a plan, then apply it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from indexer.chunking.chunking import Chunker, embedded_text
from indexer.documents import Chunk, Document
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import SourceError
from indexer.sources.base import Source, Unreadable
from indexer.stores.base import Store

_CHUNKS_PER_BATCH = 256
_MIN_SHRINK = 10
"""The deletion of fewer documents than this is never suspicious."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync of one source will do; nothing has been written yet.

    ``audience_only`` documents change their audience and nothing else, so they are not embedded
    again. ``deleted`` are ids of documents that have vanished. ``unreadable`` ones keep their
    indexed version.
    ``failure`` says why the source as a whole could not be read; then there is nothing to do.
    """

    source: str
    added: tuple[Document, ...] = ()
    changed: tuple[Document, ...] = ()
    audience_only: tuple[Document, ...] = ()
    deleted: tuple[str, ...] = ()
    unchanged: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    failure: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.audience_only or self.deleted)

    @property
    def shrinkage(self) -> float:
        """The share of the source's indexed documents, in 0..1, that is to be deleted."""
        kept = self.unchanged + len(self.changed) + len(self.audience_only) + len(self.unreadable)
        return len(self.deleted) / (len(self.deleted) + kept) if self.deleted else 0.0

    def without_deletions(self, limit: float) -> Plan:
        """The same plan without deletions, and with a ``failure`` that says how to allow them."""
        return replace(
            self,
            deleted=(),
            failure=f"Source {self.source} would lose {len(self.deleted)} documents, more than "
            f"{limit:.0%} of what is indexed. They were kept. If they are meant to go, run "
            "`lorebot-index sync --allow-shrink`.",
        )


def shrinks_suspiciously(plan: Plan, limit: float) -> bool:
    """Whether so many documents vanished at once that a person should confirm the deletion."""
    return len(plan.deleted) >= _MIN_SHRINK and plan.shrinkage > limit


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync of one source has done, in documents; ``chunks`` were embedded."""

    source: str
    added: int
    changed: int
    audience_only: int
    deleted: int
    unchanged: int
    chunks: int
    unreadable: tuple[Unreadable, ...]
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Progressed:
    """An event of a running sync: ``done`` of the ``total`` documents to write are written."""

    source: str
    done: int
    total: int


Progress = Callable[[Progressed], None]
"""Called after every document written. It may raise SyncCancelled: documents written stay so."""


def no_progress(event: Progressed) -> None:
    """Ignores all events."""


def plan(source: Source, store: Store) -> Plan:
    """Compare a source with the index; writes nothing. Raises SourceError, StoreError."""
    indexed = dict(store.documents(source.name))
    added: list[Document] = []
    changed: list[Document] = []
    audience_only: list[Document] = []
    unreadable: list[Unreadable] = []
    seen: set[str] = set()
    for document in source.read():
        if document.id in seen:
            raise SourceError(
                f"Source {source.name} yields {document.id} twice; every document needs its own id."
            )
        seen.add(document.id)
        known = indexed.get(document.id)
        if isinstance(document, Unreadable):
            unreadable.append(document)
        elif known is None:
            added.append(document)
        elif known.digest != document.digest:
            changed.append(document)
        elif known.audience != document.audience:
            audience_only.append(document)
    written = len(added) + len(changed) + len(audience_only)
    return Plan(
        source=source.name,
        added=tuple(added),
        changed=tuple(changed),
        audience_only=tuple(audience_only),
        deleted=tuple(sorted(indexed.keys() - seen)),
        unchanged=len(seen) - written - len(unreadable),
        unreadable=tuple(unreadable),
    )


def plan_removal(source: str, store: Store) -> Plan:
    """The plan for a source that the settings no longer name: delete all its documents."""
    return Plan(source, deleted=tuple(sorted(store.documents(source))))


def apply(
    plan: Plan,
    store: Store,
    chunker: Chunker,
    embedding: LlamaCppEmbedding,
    progress: Progress = no_progress,
) -> Report:
    """Apply a plan; if it is interrupted at any point, the next sync does the rest.

    Deletions and new audiences, which may withdraw access, come first. Chunks are embedded before
    the transaction that replaces their document: an embedder that fails leaves the old version.
    Raises StoreError, EmbedderError, and SyncCancelled if ``progress`` does.
    """
    for identifier in plan.deleted:
        store.delete(identifier)
    for document in (*plan.audience_only, *_with_new_audience(plan, store)):
        store.set_audience(document.id, document.audience)
    documents = (*plan.changed, *plan.added)
    embedded = 0
    done = 0
    progress(Progressed(plan.source, done, len(documents)))
    for group in _groups(documents, chunker):
        texts = [embedded_text(document.title, one) for document, chunks in group for one in chunks]
        vectors = embedding.embed(texts)
        first = 0
        for document, chunks in group:
            store.put(document, chunks, vectors[first : first + len(chunks)])
            first += len(chunks)
            done += 1
            progress(Progressed(plan.source, done, len(documents)))
        embedded += len(texts)
    return Report(
        source=plan.source,
        added=len(plan.added),
        changed=len(plan.changed),
        audience_only=len(plan.audience_only),
        deleted=len(plan.deleted),
        unchanged=plan.unchanged,
        chunks=embedded,
        unreadable=plan.unreadable,
        failure=plan.failure,
    )


def _with_new_audience(plan: Plan, store: Store) -> Iterator[Document]:
    """Changed documents whose old text the old audience must not read until they are replaced."""
    indexed = store.documents(plan.source) if plan.changed else {}
    for document in plan.changed:
        known = indexed.get(document.id)
        if known is not None and known.audience != document.audience:
            yield document


def _groups(
    documents: Sequence[Document], chunker: Chunker
) -> Iterator[list[tuple[Document, list[Chunk]]]]:
    """Batches of documents: large enough for the embedder, small enough to be committed soon."""
    group: list[tuple[Document, list[Chunk]]] = []
    waiting = 0
    for document in documents:
        chunks = chunker.chunks(document)
        group.append((document, chunks))
        waiting += len(chunks)
        if waiting >= _CHUNKS_PER_BATCH:
            yield group
            group, waiting = [], 0
    if group:
        yield group
