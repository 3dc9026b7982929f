"""How many of the nodes that hold an index can be reached: what a cluster may be asked to do."""

from __future__ import annotations

import time
from collections import Counter

from weaviate.collections.classes.cluster import NodeVerbose

from indexer.errors import StoreError
from indexer.stores.weaviate_schema import Names
from indexer.stores.weaviate_server import WeaviateServer

_SECONDS = 1.0
# An unhealthy one is slow to hear of the others, but it is there and gets what is written.
_PRESENT = {"HEALTHY", "UNHEALTHY"}


class WeaviateNodes:
    """Copies of an index's objects, of ``factor`` each; with a factor of 1 nothing is asked.

    Weaviate takes a consistency level as a share of the nodes that it knows to be alive: ALL
    leaves one out that is away, and the last one alone is a QUORUM. So they are counted here.
    """

    def __init__(self, server: WeaviateServer, names: Names, factor: int) -> None:
        self._server = server
        self._collections = (names.documents, names.chunks)
        self._factor = factor
        self._counted = (factor, float("-inf"))

    @property
    def replicated(self) -> bool:
        return self._factor > 1

    def check_most(self) -> None:
        """Raises StoreError unless a majority has been reachable within the last second."""
        count, moment = self._counted
        self._check_majority(count if time.monotonic() - moment < _SECONDS else self._count())

    def check_all(self) -> None:
        """Raises StoreError unless all are reachable."""
        count = self._count()
        if count < self._factor:
            raise StoreError(
                f"{self._said(count)}; new text waits until all can be, so that no node lacks it. "
                "Start what is away and run `lorebot-index sync` again."
            )

    def all_there(self) -> bool:
        """Whether all are reachable now. Raises StoreError unless a majority is."""
        count = self._count()
        self._check_majority(count)
        return count >= self._factor

    def _check_majority(self, count: int) -> None:
        if count <= self._factor // 2:
            raise StoreError(
                f"{self._said(count)}; they might hold what has been deleted elsewhere, so "
                "nothing is shown or changed. Start more of them."
            )

    def _said(self, count: int) -> str:
        return (
            f"Of the {self._factor} nodes that hold each object of Weaviate at {self._server.url}, "
            f"{count} can be reached"
        )

    def _count(self) -> int:
        """The copies that can be reached of the shard that has the fewest."""
        if not self.replicated:
            return self._factor
        count = min(self._copies(name) for name in self._collections)
        self._counted = (count, time.monotonic())
        return count

    def _copies(self, name: str) -> int:
        nodes = self._server.client.cluster.nodes
        # A node that is away may be missing in the list, so shards are counted, not nodes.
        listed: list[NodeVerbose] = self._server.call(lambda: nodes(name, output="verbose"))
        shards = Counter(
            shard.name
            for node in listed
            if node.status in _PRESENT
            for shard in node.shards or ()
            if shard.collection == name
        )
        return min(shards.values(), default=0)
