"""Which of a server's indexes is searched: an alias that moves at once when one is rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from indexer.errors import StoreOutdated
from indexer.settings import StoreTable
from indexer.stores.weaviate_schema import (
    SCHEMA_VERSION,
    Names,
    chunks_collection,
    documents_collection,
)
from indexer.stores.weaviate_server import RefusedByServer, WeaviateServer


class WeaviateAlias:
    """The settings' ``collection``: an alias of the collections of ONE identity.

    Each identity has collections of its own, so a rebuild fills new ones while the old are read.
    """

    def __init__(self, server: WeaviateServer, table: StoreTable, identity: str) -> None:
        self._server = server
        self._alias = table.collection
        self._factor = table.replication_factor
        self._identity = f"{identity} weaviate-{SCHEMA_VERSION}"
        self.names = Names.of(self._alias, self._identity)

    def open(self) -> None:
        """Make collections and alias where there are none. Raises StoreOutdated."""
        published = self._published()
        if published not in ("", self.names.documents):
            raise StoreOutdated(
                f"The index {self._alias} at {self._server.url} was built by "
                f"{self._description(published)}, not by {self._identity}; "
                "run `lorebot-index sync` to rebuild it."
            )
        self.make()
        if not published:
            self._point()

    def make(self) -> None:
        """The collections without the alias; what is there already stays."""
        make = self._server.client.collections.create
        for arguments in (
            chunks_collection(self.names, self._identity, self._factor),
            documents_collection(self.names, self._identity, self._factor),
        ):
            self._ensure(partial(make, **arguments), partial(self._exists, arguments["name"]))

    def publish(self) -> None:
        """Readers find this index from now on; those of others are removed.

        Who has another open gets StoreOutdated: its deletions and audiences are no longer kept.
        """
        self._point()
        collections = self._server.client.collections
        for name in self._server.call(collections.list_all):
            ours = name in (self.names.documents, self.names.chunks)
            if name.startswith(f"{self._alias}_") and not ours:
                self._server.call(partial(collections.delete, name))

    def check_published(self) -> None:
        """Raises StoreOutdated when the collections are gone, StoreError when nobody can tell."""
        if not self._exists(self.names.documents):
            raise StoreOutdated(
                f"The index {self._alias} at {self._server.url} has been rebuilt by another "
                "embedder or version; restart what has it open, with the settings of that one."
            )

    def _published(self) -> str:
        """The collection of documents that the alias names, empty if there is none."""
        aliases = self._server.client.alias
        found = self._server.call(lambda: aliases.get(alias_name=self._alias))
        return found.collection if found else ""

    def _point(self) -> None:
        aliases, target = self._server.client.alias, self.names.documents
        self._ensure(
            partial(aliases.create, alias_name=self._alias, target_collection=target),
            lambda: bool(self._published()),
        )
        if self._published() != target:
            self._server.call(
                partial(aliases.update, alias_name=self._alias, new_target_collection=target)
            )

    def _exists(self, name: str) -> bool:
        return self._server.call(lambda: self._server.client.collections.exists(name))

    def _description(self, name: str) -> str:
        collection = self._server.client.collections.use(name)
        return self._server.call(lambda: collection.config.get(simple=True)).description or name

    def _ensure(self, make: Callable[[], object], is_made: Callable[[], bool]) -> None:
        """Make what is not there; another process may do so at the same moment."""
        if is_made():
            return
        try:
            self._server.call(make)
        except RefusedByServer:
            if not is_made():
                raise
