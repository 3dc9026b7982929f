"""Reindexes while the bot answers: everything, a source, a channel or one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urldefrag

from bot.domain.errors import ReindexRefused
from bot.domain.settings import Settings
from indexer.documents import Document
from indexer.index import Index, open_source, open_sources
from indexer.settings import SlackSource
from indexer.sources.base import Source, Unreadable
from indexer.sync.sync import Plan, Progress, Report, shrinks_suspiciously


@dataclass(frozen=True, slots=True)
class Scope:
    """``kind`` is all, source, channel or url; ``name`` is the source, the channel's id, or the
    address of one page.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


class Reindexer:
    """Plans and carries out what an admin wants to have read again."""

    def __init__(self, index: Index, settings: Settings) -> None:
        self._index = index
        self._settings = settings

    def check(self, scope: Scope) -> None:
        """Raises ReindexRefused where there is nothing of that name."""
        names = [table.name for table in self._settings.sources]
        if scope.kind == "source" and scope.name not in names:
            raise ReindexRefused(f"There is no source of that name. There are: {', '.join(names)}.")
        if scope.kind == "channel" and not self._slack_sources(scope.name):
            raise ReindexRefused("No source of the settings reads the history of that channel.")
        if scope.kind != "all" and self._index.outdated:
            raise ReindexRefused(
                "The whole index has to be built anew first, because the embedder or the version "
                "has changed: reindex all."
            )

    def plan(self, scope: Scope) -> list[Plan]:
        """What would be done; nothing is written. Raises ReindexRefused and IndexerError."""
        self.check(scope)
        if scope.kind == "all":
            return self._index.plan(open_sources(self._settings))
        if scope.kind == "source":
            tables = [table for table in self._settings.sources if table.name == scope.name]
            sources = [open_source(table, self._settings) for table in tables]
            return self._index.plan(sources, complete=False)
        if scope.kind == "channel":
            return [
                self._narrowed(open_source(table, self._settings), f"{table.name}:{scope.name}/")
                for table in self._slack_sources(scope.name)
            ]
        return self._page(scope.name)

    def apply(self, scope: Scope, plans: Sequence[Plan], progress: Progress) -> list[Report]:
        """Carry plans out. Raises SyncCancelled if ``progress`` does; what is done stays done.

        A part of a source leaves the journal alone: it would call the whole source fresh.
        """
        reports = [self._index.apply(plan, progress) for plan in plans]
        if scope.kind in ("all", "source"):
            self._index.finish(reports)
        return reports

    def _slack_sources(self, channel: str) -> list[SlackSource]:
        return [
            table
            for table in self._settings.sources
            if isinstance(table, SlackSource) and (not table.channels or channel in table.channels)
        ]

    def _narrowed(self, source: Source, prefix: str) -> Plan:
        """The plan for documents whose ids begin with ``prefix``; all others stay as they are."""
        part = _Part(source, lambda document: document.id.startswith(prefix))
        (plan,) = self._index.plan([part], complete=False, allow_shrink=True)
        gone = tuple(each for each in plan.deleted if each.startswith(prefix))
        plan = replace(plan, deleted=gone)
        limit = self._settings.index.shrink_limit
        return plan.without_deletions(limit) if shrinks_suspiciously(plan, limit) else plan

    def _page(self, url: str) -> list[Plan]:
        wanted = _address(url)
        for source in open_sources(self._settings):
            part = _Part(
                source,
                lambda document: (
                    isinstance(document, Document) and _address(document.url) == wanted
                ),
            )
            (plan,) = self._index.plan([part], complete=False, allow_shrink=True)
            if part.found or plan.failure:
                return [replace(plan, deleted=())]
        raise ReindexRefused(
            "No source has a page at that address. Give the address that a citation links to. A "
            "page that was deleted goes with the next reindex of its source: reindex source NAME."
        )


class _Part:
    """Some documents of a source. ``found`` says whether there were any."""

    def __init__(self, source: Source, wanted: Callable[[Document | Unreadable], bool]) -> None:
        self.name = source.name
        self._source = source
        self._wanted = wanted
        self.found = False

    def read(self) -> Iterator[Document | Unreadable]:
        for document in self._source.read():
            if self._wanted(document):
                self.found = True
                yield document


def _address(url: str) -> str:
    return urldefrag(url).url.rstrip("/")
