"""Checks the canary's votes every ten minutes: rolls it back, promotes it, or waits."""

from __future__ import annotations

import logging

from bot.domain.errors import LorebotError
from bot.domain.settings import CanaryTable
from bot.jobs.durable import Jobs
from bot.models.canary_votes import Decision, watch_canary
from bot.models.registry import Registry
from bot.records.audit import BOT, Act, Audit
from bot.records.database import Database

_log = logging.getLogger(__name__)

_JOB = "canary"
_EVERY_TEN_MINUTES = "*/10 * * * *"
_ACTED = (Decision.ROLLED_BACK, Decision.PROMOTED)


class CanaryWatch:
    """A scheduled job; over all replicas it runs once each time."""

    def __init__(self, database: Database, registry: Registry, table: CanaryTable) -> None:
        self._database = database
        self._registry = registry
        self._table = table
        self._audit = Audit(database)

    def schedule(self, jobs: Jobs) -> None:
        """Before ``jobs`` is launched."""
        jobs.schedule(_JOB, _EVERY_TEN_MINUTES, self.due)

    def due(self, _moment: str) -> None:
        """The result is logged; where it acted, in the audit log too."""
        try:
            watched = watch_canary(self._database, self._registry, self._table)
            if watched.decision in _ACTED:
                _log.warning("%s", watched.sentence)
                self._audit.note(Act(BOT, f"canary {watched.decision}", watched.canary))
            elif watched.decision is Decision.WAITED:
                _log.info("%s", watched.sentence)
        except LorebotError as error:
            _log.error("The canary could not be judged, which is tried again. %s", error)
