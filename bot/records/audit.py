"""The audit log: who did what to what, when, and how it ended; only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from bot.records.database import Database
from bot.records.operation_tables import AuditRow

BOT = "lorebot"
"""The actor of what the bot did by itself."""

_SUBJECT, _OUTCOME = 500, 128


@dataclass(frozen=True, slots=True)
class Act:
    """One act of an admin, or of the BOT itself.

    ``subject`` names things by id, and never holds what people wrote.
    """

    actor: str
    action: str
    subject: str = ""
    outcome: str = "done"
    at: datetime | None = None


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, act: Act) -> None:
        """Add one act, with the time it is given or now."""
        with self._database.session() as session:
            session.add(
                AuditRow(
                    at=act.at or datetime.now(UTC),
                    actor=act.actor,
                    action=act.action,
                    subject=act.subject[:_SUBJECT],
                    outcome=act.outcome[:_OUTCOME],
                )
            )

    def newest(self, limit: int = 20) -> list[Act]:
        """The newest acts first."""
        with self._database.reading() as session:
            rows = session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(limit))
            return [Act(row.actor, row.action, row.subject, row.outcome, row.at) for row in rows]
