"""Compose an index from its settings: embedder, chunker, store and sources; sync and rebuild it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.retrievers import BaseRetriever

from indexer.chunking.chunking import Chunker
from indexer.documents import Audience
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import IndexSettingsError, SourceError, StoreError, StoreOutdated
from indexer.extraction import Cutting
from indexer.named_class import make
from indexer.private_files import make_private_folder, tighten
from indexer.retrieval.fused import Fused
from indexer.retrieval.postprocessors import Guarded
from indexer.retrieval.ranking import Freshness
from indexer.retrieval.reranking import CrossEncoder
from indexer.retrieval.retriever import AudienceRetriever
from indexer.settings import AnySource, IndexSettings
from indexer.settings import FilesSource as FilesTable
from indexer.settings import LlamaHubSource as LlamaHubTable
from indexer.settings import SlackSource as SlackTable
from indexer.sources.base import Source
from indexer.sources.files import FilesSource
from indexer.stores.base import Store
from indexer.stores.blue_green import blue_green
from indexer.sync import sync as syncing
from indexer.sync.journal import Journal
from indexer.sync.sync import Plan, Progress, Report
from indexer.trials import Trials
from indexer.write_ahead import remove_database


class Index:
    """An index with the embedder and chunker that belong to it; a context manager.

    An index that another embedder, chunker or version built cannot be searched: ``store`` raises
    StoreOutdated until a sync has built a new one beside it and put that in its place at once.
    An interrupted rebuild is continued by the next sync. Raises EmbedderError, RerankerError
    and StoreError.
    """

    def __init__(self, settings: IndexSettings) -> None:
        table = settings.index
        self._settings = settings
        _make_private(settings.data_dir)
        trials = Trials(settings.cache_dir)
        self._reranker = (
            CrossEncoder(table.reranker, table.threads, trials) if table.reranker else None
        )
        self._postprocessors = [
            Guarded(make(one, BaseNodePostprocessor, "[[index.postprocessors]]"), one.class_name)
            for one in table.postprocessors
        ]
        self._fused = [
            Fused(
                make(one, BaseRetriever, f"[[index.retrievers]] {one.name}"),
                one.name,
                Audience.parse(one.audience),
                one.weight,
            )
            for one in table.retrievers
        ]
        self.journal = Journal(settings.index_path.with_name("syncs.json"))
        self.embedding = LlamaCppEmbedding.find(table.embedder, settings.cache_dir, table.threads)
        self.chunker = Chunker(self.embedding.count_tokens, self.embedding.max_tokens)
        identity = f"{self.embedding.identity} {self.chunker.identity}"
        self._blue_green = blue_green(settings, identity, self.embedding.dimension)
        self._rebuilt: Store | None = None
        self._opening = Lock()
        self._store = self._opened()

    @property
    def store(self) -> Store:
        """The live store. Raises StoreOutdated if another embedder, chunker or version built it."""
        store = self._current()
        if isinstance(store, StoreOutdated):
            raise store
        return store

    @property
    def cutting(self) -> Cutting:
        """How the process that reads attachments cuts them: as this one would."""
        return Cutting(self.embedding.path, self.embedding.max_tokens)

    @property
    def outdated(self) -> bool:
        """Whether the next sync will embed everything again."""
        return isinstance(self._current(), StoreOutdated)

    def retriever(self, audience: Audience, sources: Iterable[str] = ()) -> AudienceRetriever:
        """For one question, whose answer ``audience`` will read; from these sources, or all."""
        table = self._settings.index
        return AudienceRetriever(
            self.store,
            self.embedding,
            audience,
            limit=table.passages,
            candidates=table.candidates,
            dense_weight=table.dense_weight,
            freshness=Freshness(table.freshness_weight, table.half_life_days),
            merge_neighbours=table.merge_neighbours,
            reranker=self._reranker,
            postprocessors=self._postprocessors,
            fused=self._fused,
            sources=sources,
        )

    def sync(
        self, progress: Progress = syncing.no_progress, *, allow_shrink: bool = False
    ) -> list[Report]:
        """Bring every source of the settings up to date.

        Raises IndexSettingsError without any source, and SourceError after all others are up to
        date when a source could not be read; then a rebuilt index waits for the next sync.
        """
        plans = self.plan(open_sources(self._settings), allow_shrink=allow_shrink)
        reports = [self.apply(plan, progress) for plan in plans]
        self.finish(reports)
        failures = [report.failure for report in reports if report.failure]
        if failures:
            raise SourceError("\n".join(failures))
        return reports

    def plan(
        self, sources: Sequence[Source], *, complete: bool = True, allow_shrink: bool = False
    ) -> list[Plan]:
        """One plan per source. With ``complete``, documents of all other sources are deleted.

        A source that cannot be read gets a plan with a ``failure``, and so, unless
        ``allow_shrink``, does one that lost more than ``shrink_limit`` of its documents.
        """
        store = self._writable()
        plans = [_plan(source, store) for source in sources]
        limit = self._settings.index.shrink_limit
        if not allow_shrink:
            plans = [
                plan.without_deletions(limit) if syncing.shrinks_suspiciously(plan, limit) else plan
                for plan in plans
            ]
        named = {source.name for source in sources}
        indexed = {document.source for document in store.documents().values()}
        forgotten = sorted(indexed - named) if complete else []
        for name in forgotten:
            remove_database(self._settings.source_cache_path(name))
        return plans + [syncing.plan_removal(name, store) for name in forgotten]

    def finish(self, reports: Sequence[Report]) -> None:
        """After ALL plans have been applied: record their reports in the journal, and, unless one
        failed, publish the rebuilt index, if there is one.
        """
        self.journal.write(reports)
        if not any(report.failure for report in reports):
            self.publish()

    def begin_rebuild(self) -> None:
        """Until ``finish``, write into an index beside the live one; an interrupted rebuild is
        continued.
        """
        self._rebuilt = self._rebuilt or self._blue_green.rebuild()

    def apply(self, plan: Plan, progress: Progress = syncing.no_progress) -> Report:
        """Apply one plan; see ``sync.apply``."""
        return syncing.apply(plan, self._writable(), self.chunker, self.embedding, progress)

    def publish(self) -> None:
        """After ALL plans have been applied: let a rebuilt index, if any, replace the live one."""
        if self._rebuilt is not None:
            self._blue_green.publish()
            self._rebuilt = None
            if isinstance(self._store, StoreOutdated):
                self._store = self._blue_green.open()

    def close(self) -> None:
        for store in (self._store, self._rebuilt):
            if store is not None and not isinstance(store, StoreOutdated):
                store.close()
        if self._reranker:
            self._reranker.close()
        self.embedding.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _current(self) -> Store | StoreOutdated:
        """Tries again to open an outdated index: another process may have rebuilt it meanwhile."""
        with self._opening:
            if isinstance(self._store, StoreOutdated):
                self._store = self._opened()
            return self._store

    def _opened(self) -> Store | StoreOutdated:
        try:
            return self._blue_green.open()
        except StoreOutdated as outdated:
            return outdated

    def _writable(self) -> Store:
        """The store that a sync writes: the rebuild if there is one, else the live store."""
        if self._rebuilt is not None:
            return self._rebuilt
        store = self._current()
        if isinstance(store, StoreOutdated):
            self.begin_rebuild()
            return self._writable()
        return store


def open_index(settings: IndexSettings) -> Index:
    """The index of these settings, made when there is none."""
    return Index(settings)


def open_sources(settings: IndexSettings) -> list[Source]:
    """The sources of the settings, in their order. Raises IndexSettingsError without any."""
    if not settings.sources:
        raise IndexSettingsError(
            "There is nothing to index; name a folder (`lorebot-index sync FOLDER`) "
            "or add [[sources]] to lorebot.toml."
        )
    return [open_source(table, settings) for table in settings.sources]


def open_source(table: AnySource, settings: IndexSettings) -> Source:
    """One source, with the limits and the cache file of the settings."""
    cache_path = settings.source_cache_path(table.name)
    match table:
        case FilesTable():
            return FilesSource(table, settings.extraction, cache_path)
        case SlackTable():
            from indexer.sources.slack_history import SlackHistory

            return SlackHistory(table, settings.extraction, cache_path)
        case LlamaHubTable():
            from indexer.sources.llamahub import LlamaHubReader

            return LlamaHubReader(table)


def _make_private(data_dir: Path) -> None:
    try:
        make_private_folder(data_dir)
    except OSError as error:
        raise StoreError(
            f"{data_dir} cannot be used ({error.strerror}): let the user that runs Lorebot write "
            "there, or set LOREBOT_DATA_DIR."
        ) from error
    tighten(data_dir)


def _plan(source: Source, store: Store) -> Plan:
    try:
        return syncing.plan(source, store)
    except SourceError as error:
        return Plan(source.name, failure=str(error))
