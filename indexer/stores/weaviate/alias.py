"""The alias of the live index on a Weaviate server, moved atomically when one is rebuilt."""

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
    """The settings' ``collection`` is an alias of the collections of ONE index.

    Their description holds the identity that built them. Each rebuild, also one by the same
    identity, fills collections of its own while those behind the alias are searched.
    """

    def __init__(self, server: WeaviateServer, table: StoreTable, identity: str) -> None:
        self._server = server
        self._alias = table.collection
        self._factor = table.replication_factor
        self._identity = f"{identity} weaviate-{SCHEMA_VERSION}"
        self._rebuilding = False
        self.names = Names.of(self._alias, self._identity)

    def open(self) -> None:
        """Create collections and alias if there are none. Raises StoreOutdated."""
        published = self._published()
        if not published:
            self._make()
            self._create_alias()
            # Another process may have created the alias, for another identity.
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
        """Open collections that are not searched yet: those of an unfinished rebuild, or new ones.

        Rebuilds begun before the published index are superseded and deleted. Of the later ones the
        newest of this identity is continued: whether it was interrupted or another process is
        writing it cannot be known, and two writers of one index do no harm. All others may be in
        progress elsewhere; they are deleted when older than a day, or by ``publish``.
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
        """Point the alias to this index and delete all others.

        A process that has another one open continues with this one if the same identity built
        both, else it gets StoreOutdated, because deletions and audiences are no longer updated.
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
        """Whether these collections were replaced; then ``names`` are those of the new ones.

        Raises StoreOutdated if they were replaced by another identity's, StoreError if the server
        does not answer.
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
        """Create the collections, but not the alias; existing ones stay."""
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
        """The identity that built a collection; its name if it no longer exists."""
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
        """Create what is missing, also where another process does so at the same moment."""
        if is_made():
            return
        try:
            self._server.call(make)
        except RefusedByServer:
            if not is_made():
                raise
