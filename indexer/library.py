"""The composition: settings → embedder, chunker, store and sources that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from indexer import sync as syncing
from indexer.chunking import Chunker
from indexer.documents import Audience
from indexer.embedding import LlamaCppEmbedding
from indexer.errors import IndexSettingsError, SourceError, StoreOutdated
from indexer.retriever import AudienceRetriever
from indexer.settings import IndexSettings
from indexer.sources.base import Source
from indexer.sources.files import FilesSource
from indexer.stores.base import Store
from indexer.stores.sqlite import SqliteStore
from indexer.sync import Plan, Progress, Report


class Library:
    """An index with the embedder and chunker that belong to it; a context manager.

    An index that another embedder, chunker or version built cannot be searched: ``store`` raises
    StoreOutdated until a sync has built a new one beside it and put that in its place at once.
    An interrupted rebuild is continued by the next sync. Raises EmbedderError and StoreError.
    """

    def __init__(self, settings: IndexSettings) -> None:
        table = settings.index
        self._settings = settings
        self.embedding = LlamaCppEmbedding.find(table.embedder, settings.cache_dir, table.threads)
        self.chunker = Chunker(self.embedding.count_tokens, self.embedding.max_tokens)
        self._rebuilt: SqliteStore | None = None
        self._store: SqliteStore | StoreOutdated
        try:
            self._store = self._open(settings.index_path)
        except StoreOutdated as outdated:
            self._store = outdated

    @property
    def store(self) -> Store:
        """What is searched."""
        if isinstance(self._store, StoreOutdated):
            raise self._store
        return self._store

    @property
    def outdated(self) -> bool:
        """Whether the next sync will embed everything again."""
        return isinstance(self._store, StoreOutdated)

    def retriever(self, audience: Audience) -> AudienceRetriever:
        """For one question, whose answer ``audience`` will read."""
        table = self._settings.index
        return AudienceRetriever(
            self.store,
            self.embedding,
            audience,
            limit=table.passages,
            candidates=table.candidates,
            dense_weight=table.dense_weight,
        )

    def sync(self, progress: Progress = syncing.no_progress) -> list[Report]:
        """Bring every source of the settings up to date; ``progress`` starts anew with each.

        Raises IndexSettingsError without any source, and SourceError after all others are up to
        date when a source could not be read; then a rebuilt index waits for the next sync.
        """
        plans = self.plan(open_sources(self._settings))
        reports = [self.apply(plan, progress) for plan in plans]
        failures = [report.failure for report in reports if report.failure]
        if failures:
            raise SourceError("\n".join(failures))
        self.publish()
        return reports

    def plan(self, sources: Sequence[Source], *, complete: bool = True) -> list[Plan]:
        """A plan a source. With ``complete``, documents of all other sources are to go.

        A source that cannot be read gets a plan with a ``failure``.
        """
        store = self._writable()
        plans = [_plan(source, store) for source in sources]
        named = {source.name for source in sources}
        indexed = {document.source for document in store.documents().values()}
        forgotten = sorted(indexed - named) if complete else []
        return plans + [syncing.plan_removal(name, store) for name in forgotten]

    def apply(self, plan: Plan, progress: Progress = syncing.no_progress) -> Report:
        """Carry out one plan; see ``sync.apply``."""
        return syncing.apply(plan, self._writable(), self.chunker, self.embedding, progress)

    def publish(self) -> None:
        """After ALL plans have been carried out: readers get the rebuilt index, if there is one."""
        if self._rebuilt is not None:
            self._rebuilt.publish(self._settings.index_path)
            self._rebuilt.close()
            _remove(self._rebuilt.path)
            self._rebuilt = None
            self._store = self._open(self._settings.index_path)

    def close(self) -> None:
        for store in (self._store, self._rebuilt):
            if isinstance(store, SqliteStore):
                store.close()
        self.embedding.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _writable(self) -> SqliteStore:
        """The index, or the one that is being built beside it."""
        if isinstance(self._store, SqliteStore):
            return self._store
        if self._rebuilt is None:
            path = self._settings.index_path
            beside = path.with_name(path.name + ".rebuild")
            try:
                self._rebuilt = self._open(beside)
            except StoreOutdated:
                _remove(beside)
                self._rebuilt = self._open(beside)
        return self._rebuilt

    def _open(self, path: Path) -> SqliteStore:
        identity = f"{self.embedding.identity} {self.chunker.identity}"
        return SqliteStore(path, identity, self.embedding.dimension)


def open_library(settings: IndexSettings) -> Library:
    """The index of these settings, made when there is none."""
    return Library(settings)


def open_sources(settings: IndexSettings) -> list[Source]:
    """The sources of the settings, in their order. Raises IndexSettingsError without any."""
    if not settings.sources:
        raise IndexSettingsError(
            "There is nothing to index; name a folder (`lorebot-index sync FOLDER`) "
            "or add [[sources]] to lorebot.toml."
        )
    return [FilesSource(table) for table in settings.sources]


def _plan(source: Source, store: Store) -> Plan:
    try:
        return syncing.plan(source, store)
    except SourceError as error:
        return Plan(source.name, failure=str(error))


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
