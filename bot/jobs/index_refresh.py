"""Keeps the index up to date in ``lorebot worker``, apart from the processes that answer.

Any number of workers share the work: one reads at a time, the others stand by.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from bot.domain.errors import LorebotError
from bot.jobs.durable import Jobs
from indexer.errors import IndexerError
from indexer.index import Index

APPLICATION = "lorebot-indexing"
QUEUE = "indexing"
_REFRESH = "refresh"

_log = logging.getLogger(__name__)


class Refreshing:
    """Reads all sources again at the times of a cron expression, and at ``begin``."""

    def __init__(self, index: Index, sources: frozenset[str], jobs: Jobs, cron: str) -> None:
        """Before the jobs are launched; ``sources`` are the names of the settings' sources."""
        self._index = index
        self._sources = sources
        self._jobs = jobs
        jobs.register(_REFRESH, self._refresh)
        jobs.schedule("refresh when due", cron, self._enqueue)

    def begin(self) -> None:
        """Read now; workers that start within the same minute do it once."""
        self._enqueue(f"{datetime.now(UTC):%Y-%m-%dT%H:%M}+00:00")

    def _enqueue(self, moment: str) -> None:
        """Behind whatever reindex an admin has asked for: never two at a time."""
        self._jobs.enqueue(APPLICATION, QUEUE, _REFRESH, moment)

    def _refresh(self, moment: str) -> None:
        if self._is_fresh_since(datetime.fromisoformat(moment)):
            return  # it had to wait for so long that another has done it
        try:
            self._index.sync()
        except (LorebotError, IndexerError) as error:
            _log.error("Serving what was indexed before: %s", error)

    def _is_fresh_since(self, moment: datetime) -> bool:
        """Not by what a clock that was set back says was read in the future."""
        entries, now = self._index.journal.read(), datetime.now(UTC)
        return not self._index.outdated and all(
            name in entries and not entries[name].failure and moment < entries[name].finished <= now
            for name in self._sources
        )
