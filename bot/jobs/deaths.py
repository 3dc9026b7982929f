"""Counts in how many processes a job has died, and gives up what two have died of.

DBOS counts how often a job was begun, in the very statement that begins it: whatever the job does
to its process comes later. An orderly end takes its turn off that count again, and a step that
ended starts it anew, so that it tells how many processes in a row died in the same step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    column,
    func,
    inspect,
    select,
    table,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import RecordsError
from bot.records.engine import READING, engine_at, open_engine, reason

MOST = 2
GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
_RUNNING, _WAITING = "PENDING", "ENQUEUED"
_SCHEMA = "dbos"
_FAILURE = "The jobs cannot be opened"


class Deaths:
    """The count of one application's jobs. Safe from several threads. Raises RecordsError."""

    def __init__(self, url: str, version: str) -> None:
        """``version`` is what DBOS keeps with the application's jobs."""
        self._engine = open_engine(url)
        self._jobs = table(
            "workflow_status",
            *map(column, ("workflow_uuid", "name", "status", "executor_id", "queue_name")),
            *map(column, ("recovery_attempts", "application_version", "owner_xid")),
            *map(column, ("started_at_epoch_ms", "updated_at", "completed_at")),
            *map(column, ("deduplication_id",)),
            schema=_SCHEMA if self._engine.dialect.name == "postgresql" else None,
        )
        self._version = version

    def of(self, job: str) -> int:
        """How many processes in a row have died in a job that runs now."""
        with self._connection(reading=True) as connection:
            begun = connection.scalar(
                select(self._jobs.c.recovery_attempts).where(self._jobs.c.workflow_uuid == job)
            )
        return max(0, (begun or 1) - 1)

    def judge(self, owner: str, queues: dict[str, str]) -> None:
        """The process ``owner`` is dead: give up what it was one too many to die in.

        Of the rest, jobs of a kind in ``queues`` are put into that queue; the others are left to
        DBOS. Does nothing before DBOS has made its tables.
        """
        jobs, now = self._jobs.c, int(datetime.now(UTC).timestamp() * 1000)
        left = {"owner_xid": None, "started_at_epoch_ms": None, "updated_at": now}
        over = left | {"completed_at": now, "queue_name": None, "deduplication_id": None}
        with self._connection() as connection:
            if not inspect(connection).has_table("workflow_status", schema=self._jobs.schema):
                return
            connection.execute(
                update(self._jobs)
                .where(*self._of_process(owner), jobs.recovery_attempts >= MOST)
                .values(over | {"status": GIVEN_UP})
            )
            for name, queue in queues.items():
                connection.execute(
                    update(self._jobs)
                    .where(*self._of_process(owner), jobs.name == name, jobs.recovery_attempts > 0)
                    .values(left | {"status": _WAITING, "queue_name": queue})
                )

    def forgive(self, owner: str, but: Collection[str] = ()) -> set[str]:
        """This process, ``owner``, ends in good order: what it leaves has not killed it.

        Returns the jobs, for another call that is ``but`` for those that were begun since.
        """
        jobs = self._jobs.c
        with self._connection() as connection:
            forgiven = connection.scalars(
                update(self._jobs)
                .where(*self._of_process(owner), jobs.workflow_uuid.not_in(but))
                .values(recovery_attempts=jobs.recovery_attempts - 1)
                .returning(jobs.workflow_uuid)
            )
            return set(forgiven)

    def forget(self, job: str) -> None:
        """A job that runs has got further: what comes now has killed none."""
        jobs = self._jobs.c
        with self._connection() as connection:
            connection.execute(
                update(self._jobs)
                .where(jobs.workflow_uuid == job, jobs.status == _RUNNING)
                .values(recovery_attempts=1)
            )

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connection(self, *, reading: bool = False) -> Iterator[Connection]:
        """In one transaction."""
        try:
            with self._engine.connect().execution_options(**{READING: reading}) as connection:
                yield connection
                connection.commit()
        except SQLAlchemyError as error:
            raise RecordsError(f"{_FAILURE}: {reason(error)}.") from error

    def _of_process(self, owner: str) -> Iterable[ColumnElement[bool]]:
        jobs = self._jobs.c
        return (
            jobs.status == _RUNNING,
            jobs.executor_id == owner,
            jobs.application_version == self._version,
        )


def given_up(url: str, since: datetime) -> Counter[str]:
    """Jobs of all applications that were given up since then, by kind; nothing is created.

    Raises RecordsError.
    """
    jobs = table("workflow_status", *map(column, ("name", "status", "completed_at")))
    with engine_at(url, _FAILURE) as engine:
        jobs.schema = _SCHEMA if engine.dialect.name == "postgresql" else None
        if not inspect(engine).has_table("workflow_status", schema=jobs.schema):
            return Counter()
        with engine.connect() as connection:
            found = connection.execute(
                select(jobs.c.name, func.count())
                .where(jobs.c.status == GIVEN_UP)
                .where(jobs.c.completed_at >= int(since.timestamp() * 1000))
                .group_by(jobs.c.name)
            )
            return Counter({str(name): int(count) for name, count in found})
