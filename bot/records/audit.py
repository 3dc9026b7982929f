"""The audit log: actor, action, subject, outcome and time of each act; append-only."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from bot.records.database import Database
from bot.records.suppression_list import Kind, digest_of, moments, pseudonym
from bot.records.tables import AuditRow

BOT = "lorebot"
"""The actor of what the bot did by itself."""

_SUBJECT, _OUTCOME = 500, 128
_NAME = re.compile(r"(?<=[A-Z0-9])\|[^<>|]*(?=>)")
_PERSON = re.compile(r"\b[UW][A-Z0-9]{5,}\b")


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
        """Add one act, at its own time or now; forgotten people get a pseudonym."""
        with self._database.session() as session:
            forgotten = moments(session, Kind.PERSON)
            session.add(
                AuditRow(
                    at=act.at or datetime.now(UTC),
                    actor=act.actor,
                    action=act.action,
                    subject=_told(act.subject, forgotten)[:_SUBJECT],
                    outcome=act.outcome[:_OUTCOME],
                )
            )

    def newest(self, limit: int = 20) -> list[Act]:
        """The newest acts first."""
        with self._database.reading() as session:
            rows = session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(limit))
            return [Act(row.actor, row.action, row.subject, row.outcome, row.at) for row in rows]


def without_names(subject: str) -> str:
    """Mentions as Slack sends them, ``<@U0123456|jane>``, by their ids alone."""
    return _NAME.sub("", subject)


def _told(subject: str, forgotten: Container[str]) -> str:
    return _PERSON.sub(
        lambda found: (
            pseudonym(found[0]) if digest_of(Kind.PERSON, found[0]) in forgotten else found[0]
        ),
        without_names(subject),
    )
