"""Deletes what is older than the settings allow, once a day over all replicas."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from bot.domain.errors import LorebotError
from bot.domain.settings import RetentionTable
from bot.jobs.durable import Jobs
from bot.records.audit import BOT, Act, Audit
from bot.records.database import Database
from bot.records.retention import Expired, Retention

_log = logging.getLogger(__name__)

_JOB = "retention"
_EVERY_NIGHT = "17 3 * * *"


class RetentionSchedule:
    def __init__(self, database: Database, table: RetentionTable, jobs: Jobs) -> None:
        """Before ``jobs`` is launched."""
        self._retention = Retention(database, table)
        self._audit = Audit(database)
        self._jobs = jobs
        self._kept_jobs = timedelta(days=table.jobs_days)
        jobs.schedule(_JOB, _EVERY_NIGHT, self._due)

    def _due(self, moment: str) -> None:
        """The result is logged; where records were deleted, in the audit log too."""
        self._jobs.step("delete", lambda: self._delete(datetime.fromisoformat(moment)))

    def _delete(self, now: datetime) -> None:
        try:
            deleted = self._retention.delete(now.astimezone(UTC))
            jobs = self._jobs.forget_ended(now - self._kept_jobs)
            _log.info("Too old and deleted: %s, %s jobs.", deleted, jobs)
            if deleted != Expired():
                self._audit.note(Act(BOT, "retention", str(deleted)))
        except LorebotError as error:
            _log.error("What is too old could not be deleted, which is tried again. %s", error)
