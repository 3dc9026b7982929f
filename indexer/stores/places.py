"""Where the index of the settings is kept, and the one that is being rebuilt beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from indexer.errors import IndexSettingsError, StoreOutdated
from indexer.settings import IndexSettings, StoreTable
from indexer.stores.base import Store
from indexer.stores.sqlite import SqliteStore
from indexer.write_ahead import remove_database


class Place(Protocol):
    """A place for indexes of one identity, the embedder's and the chunker's."""

    def open(self) -> Store:
        """What is searched, made when there is none. Raises StoreOutdated if another built it."""
        ...

    def rebuild(self) -> Store:
        """An index that nobody searches yet; goes on with one that was begun earlier."""
        ...

    def publish(self) -> None:
        """Make what ``rebuild`` gave the index that ``open`` opens, at once, and close it."""
        ...


class SqlitePlace:
    """A file, and one named ``.rebuild`` beside it."""

    def __init__(self, path: Path, identity: str, dimension: int) -> None:
        self._path = path
        self._beside = path.with_name(path.name + ".rebuild")
        self._identity = identity
        self._dimension = dimension
        self._rebuilt: SqliteStore | None = None

    def open(self) -> SqliteStore:
        return SqliteStore(self._path, self._identity, self._dimension)

    def rebuild(self) -> SqliteStore:
        try:
            self._rebuilt = SqliteStore(self._beside, self._identity, self._dimension)
        except StoreOutdated:
            remove_database(self._beside)
            self._rebuilt = SqliteStore(self._beside, self._identity, self._dimension)
        return self._rebuilt

    def publish(self) -> None:
        if self._rebuilt is not None:
            self._rebuilt.publish(self._path)
            self._rebuilt.close()
            self._rebuilt = None
            remove_database(self._beside)


class WeaviatePlace:
    """An alias on a server, and collections beside those that it names."""

    def __init__(self, table: StoreTable, identity: str, dimension: int) -> None:
        try:
            from indexer.stores.weaviate.store import WeaviateStore
        except ImportError as error:
            raise IndexSettingsError(
                '`kind = "weaviate"` in [store] needs the client: '
                "run `pip install 'lorebot[weaviate]'`."
            ) from error
        self._opened = partial(WeaviateStore, table, identity, dimension)
        self._rebuilt: WeaviateStore | None = None

    def open(self) -> Store:
        return self._opened()

    def rebuild(self) -> Store:
        self._rebuilt = self._opened(rebuild=True)
        return self._rebuilt

    def publish(self) -> None:
        if self._rebuilt is not None:
            self._rebuilt.publish()
            self._rebuilt.close()
            self._rebuilt = None


def place_of(settings: IndexSettings, identity: str, dimension: int) -> Place:
    """Nothing is opened or connected to yet. Raises IndexSettingsError without the client."""
    if settings.store.kind == "weaviate":
        return WeaviatePlace(settings.store, identity, dimension)
    return SqlitePlace(settings.index_path, identity, dimension)
