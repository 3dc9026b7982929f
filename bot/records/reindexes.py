"""Reindexes that admins asked for: one at a time over all replicas, and which were cancelled."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from bot.domain.errors import ReindexRunning
from bot.records.database import Database
from bot.records.tables import ReindexRow


@dataclass(frozen=True, slots=True)
class Reindex:
    """What is to be read again: ``kind`` is all, source, channel or url, ``name`` says which."""

    id: str
    kind: str
    name: str
    dry_run: bool
    asked_by: str


class Reindexes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, kind: str, name: str, *, dry_run: bool, asked_by: str) -> Reindex:
        """Take the only place there is. Raises ReindexRunning while another runs."""
        row = ReindexRow(
            id=uuid.uuid4().hex,
            kind=kind,
            name=name,
            dry_run=dry_run,
            asked_by=asked_by,
            asked_at=datetime.now(UTC),
            running=True,
            cancelled_by="",
        )
        with self._database.session() as session:
            session.add(row)
            try:
                session.flush()
            except IntegrityError as error:
                raise ReindexRunning(
                    "A reindex is running already; wait for it, or cancel it in the direct "
                    "message of the admin who began it."
                ) from error
        return _reindex(row)

    def get(self, reindex_id: str) -> Reindex:
        with self._database.reading() as session:
            return _reindex(session.get_one(ReindexRow, reindex_id))

    def cancel(self, reindex_id: str, by: str) -> bool:
        """Ask it to stop at the next document; False where it has ended, or is none of ours."""
        with self._database.session() as session:
            row = session.get(ReindexRow, reindex_id, with_for_update=True)
            if row is None or not row.running:
                return False
            row.cancelled_by = row.cancelled_by or by
            return True

    def cancelled_by(self, reindex_id: str) -> str:
        """Who asked it to stop, or ""."""
        with self._database.reading() as session:
            return session.get_one(ReindexRow, reindex_id).cancelled_by

    def end(self, reindex_id: str) -> None:
        """Free the place for the next; doing it again changes nothing."""
        with self._database.session() as session:
            session.get_one(ReindexRow, reindex_id).running = None

    def running(self) -> Reindex | None:
        with self._database.reading() as session:
            row = session.scalar(select(ReindexRow).where(ReindexRow.running.is_(True)))
            return _reindex(row) if row else None


def _reindex(row: ReindexRow) -> Reindex:
    return Reindex(row.id, row.kind, row.name, row.dry_run, row.asked_by)
