"""Which of a server's indexes is searched: an alias that moves at once when one is rebuilt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from indexer.errors import StoreOutdated
from indexer.settings import StoreTable
from indexer.stores.weaviate.schema import (
    SCHEMA_VERSION,
    Names,
    chunks_collection,
    documents_collection,
)
from indexer.stores.weaviate.server import RefusedByServer, WeaviateServer

_DAY = 24 * 3600 * 10**6


class WeaviateAlias:
    """The settings' ``collection``: an alias of the collections of ONE index.

    Their description names the identity that built them. Each rebuild fills collections of its
    own, also one by the same identity, while those that the alias names are read.
    """

    def __init__(self, server: WeaviateServer, table: StoreTable, identity: str) -> None:
        self._server = server
        self._alias = table.collection
        self._factor = table.replication_factor
        self._identity = f"{identity} weaviate-{SCHEMA_VERSION}"
        self._rebuilding = False
        self.names = Names.of(self._alias, self._identity)

    def open(self) -> None:
        """Make collections and alias where there are none. Raises StoreOutdated."""
        published = self._published()
        if not published:
            self._make()
            self._create_alias()
            # Another process may have been the one that made it, of something else.
            published = self._published()
        names = self._named_if_ours(published)
        if names is None:
            raise StoreOutdated(
                f"The index {self._alias} at {self._server.url} was built by "
                f"{self._built_by(published)}, not by {self._identity}; "
                "run `lorebot-index sync` to rebuild it."
            )
        self.names = names
        self._make()

    def begin(self) -> None:
        """Collections that nobody searches yet: a rebuild's that was begun earlier, or new ones.

        What was begun before the published index is superseded and goes. Of what was begun later
        the newest of this identity is continued: whether it was interrupted or another process is
        at it cannot be known, and two that write one index do it no harm. All else may be what
        another process is building, and goes when it is older than a day or with ``publish``.
        """
        self._rebuilding = True
        built_by = self._indexes()
        published = Names.named(self._published())
        since = published.generation if published else 0
        beside = [one for one in built_by if one != published]
        begun = [one for one in beside if built_by[one] == self._identity]
        begun = [one for one in begun if one.generation > since or not since]
        newest = max(begun, key=lambda one: one.generation, default=None)
        now = time.time_ns() // 1000
        self.names = newest or Names.of(self._alias, self._identity, max(now, since + 1))
        for one in beside:
            abandoned = one.generation < since or 0 < one.generation < now - _DAY
            if abandoned and one != newest:
                self._remove(one.documents)
                self._remove(one.chunks)
        self._make()

    def publish(self) -> None:
        """Readers find this index from now on; all others are removed.

        Who has another open goes on with this one, if the same identity built that, or gets
        StoreOutdated: its deletions and audiences are no longer kept.
        """
        self._create_alias()
        if self._published() != self.names.documents:
            aliases, target = self._server.client.alias, self.names.documents
            self._server.call(
                partial(aliases.update, alias_name=self._alias, new_target_collection=target)
            )
        for name in self._server.call(self._server.client.collections.list_all):
            ours = name in (self.names.documents, self.names.chunks)
            if name.startswith(f"{self._alias}_") and not ours:
                self._remove(name)

    def moved(self) -> bool:
        """Whether these collections are gone and ``names`` are now those that were rebuilt.

        Raises StoreOutdated when they are gone for good, StoreError when nobody can tell.
        """
        if self._exists(self.names.documents):
            return False
        names = None if self._rebuilding else self._named_if_ours(self._published())
        if names is None or names == self.names:
            raise StoreOutdated(
                f"The index {self._alias} at {self._server.url} has been rebuilt by another "
                "embedder or version; restart what has it open, with the settings of that one."
            )
        self.names = names
        return True

    def _make(self) -> None:
        """The collections without the alias; what is there already stays."""
        make = self._server.client.collections.create
        for arguments in (
            chunks_collection(self.names, self._identity, self._factor),
            documents_collection(self.names, self._identity, self._factor),
        ):
            self._ensure(partial(make, **arguments), partial(self._exists, arguments["name"]))

    def _remove(self, name: str) -> None:
        self._server.call(lambda: self._server.client.collections.delete(name))

    def _published(self) -> str:
        """The collection of documents that the alias names, empty if there is none."""
        aliases = self._server.client.alias
        found = self._server.call(lambda: aliases.get(alias_name=self._alias))
        return found.collection if found else ""

    def _create_alias(self) -> None:
        create = partial(
            self._server.client.alias.create,
            alias_name=self._alias,
            target_collection=self.names.documents,
        )
        self._ensure(create, lambda: bool(self._published()))

    def _named_if_ours(self, documents: str) -> Names | None:
        ours = self._built_by(documents) == self._identity
        return Names.named(documents) if ours else None

    def _built_by(self, documents: str) -> str:
        """The identity; of what is gone, the name."""
        built_by = self._indexes()
        return next((built_by[one] for one in built_by if one.documents == documents), documents)

    def _indexes(self) -> Mapping[Names, str]:
        """All indexes under this name, published or not, and the identity that built each."""
        listed = self._server.call(self._server.client.collections.list_all)
        named = {Names.named(name): one.description or name for name, one in listed.items()}
        return {
            names: built_by
            for names, built_by in named.items()
            if names is not None and names.documents.startswith(f"{self._alias}_")
        }

    def _exists(self, name: str) -> bool:
        return self._server.call(lambda: self._server.client.collections.exists(name))

    def _ensure(self, make: Callable[[], object], is_made: Callable[[], bool]) -> None:
        """Make what is not there; another process may do so at the same moment."""
        if is_made():
            return
        try:
            self._server.call(make)
        except RefusedByServer:
            if not is_made():
                raise
