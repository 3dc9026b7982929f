"""Blue/green rebuilds: open the live index, build its replacement beside it, swap the two."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from indexer.errors import IndexSettingsError, StoreOutdated
from indexer.settings import IndexSettings, StoreTable
from indexer.stores.base import Store
from indexer.stores.sqlite import SqliteStore
from indexer.write_ahead import remove_database


class BlueGreen(Protocol):
    """The live index of one identity (embedder and chunker), and the one that will replace it.

    After the release technique of that name
    (https://martinfowler.com/bliki/BlueGreenDeployment.html): searches use the live index until
    the rebuilt one is complete. All methods raise StoreError.
    """

    def open(self) -> Store:
        """The live index, made when there is none. Raises StoreOutdated for another identity's."""
        ...

    def rebuild(self) -> Store:
        """An index that is not searched yet; one that was begun and interrupted is continued."""
        ...

    def publish(self) -> None:
        """Make the index that ``rebuild`` gave the live one, atomically, and close it."""
        ...


class _SqliteBlueGreen:
    """A live file, rebuilt in a file named ``.rebuild`` beside it."""

    def __init__(self, path: Path, identity: str, dimension: int) -> None:
        self._path = path
        self._rebuild_path = path.with_name(path.name + ".rebuild")
        self._identity = identity
        self._dimension = dimension
        self._rebuilt: SqliteStore | None = None

    def open(self) -> SqliteStore:
        return SqliteStore(self._path, self._identity, self._dimension)

    def rebuild(self) -> SqliteStore:
        try:
            self._rebuilt = SqliteStore(self._rebuild_path, self._identity, self._dimension)
        except StoreOutdated:
            remove_database(self._rebuild_path)
            self._rebuilt = SqliteStore(self._rebuild_path, self._identity, self._dimension)
        return self._rebuilt

    def publish(self) -> None:
        if self._rebuilt is not None:
            self._rebuilt.publish(self._path)
            self._rebuilt.close()
            self._rebuilt = None
            remove_database(self._rebuild_path)


class _WeaviateBlueGreen:
    """An alias on a server, rebuilt in collections beside those that it names."""

    def __init__(self, table: StoreTable, identity: str, dimension: int) -> None:
        try:
            from indexer.stores.weaviate.store import WeaviateStore
        except ImportError as error:
            raise IndexSettingsError(
                '`kind = "weaviate"` in [store] needs the client: '
                "run `pip install 'lorebot[weaviate]'`."
            ) from error
        self._open = partial(WeaviateStore, table, identity, dimension)
        self._rebuilt: WeaviateStore | None = None

    def open(self) -> Store:
        return self._open()

    def rebuild(self) -> Store:
        self._rebuilt = self._open(rebuild=True)
        return self._rebuilt

    def publish(self) -> None:
        if self._rebuilt is not None:
            self._rebuilt.publish()
            self._rebuilt.close()
            self._rebuilt = None


def blue_green(settings: IndexSettings, identity: str, dimension: int) -> BlueGreen:
    """As ``[store]`` says; opens and connects to nothing yet.

    ``dimension`` is the embedder's. Raises IndexSettingsError where Weaviate's client is missing.
    """
    if settings.store.kind == "weaviate":
        return _WeaviateBlueGreen(settings.store, identity, dimension)
    return _SqliteBlueGreen(settings.index_path, identity, dimension)
