"""State per thread: whether the bot takes part or is muted, and escalations to people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from bot.records.database import Database
from bot.records.tables import AnswerRow, EscalationRow, MutedThreadRow, QuestionRow


@dataclass(frozen=True, slots=True)
class Escalation:
    """People who were called about an answer, by their ids; ``thread`` is where they reply."""

    answer_id: str
    channel: str
    thread: str
    asked_by: str
    owners: tuple[str, ...]


class Threads:
    def __init__(self, database: Database) -> None:
        self._database = database

    def is_engaged(self, channel: str, thread: str) -> bool:
        """Whether the bot has answered there and is not muted."""
        with self._database.reading() as session:
            if session.get(MutedThreadRow, (channel, thread)) is not None:
                return False
            answered = (
                select(AnswerRow.id)
                .join(QuestionRow)
                .where(QuestionRow.channel == channel, QuestionRow.thread == thread)
                .limit(1)
            )
            return session.scalar(answered) is not None

    def mute(self, channel: str, thread: str, by: str) -> None:
        with self._database.session() as session:
            session.merge(
                MutedThreadRow(
                    channel=channel, thread=thread, muted_by=by, muted_at=datetime.now(UTC)
                )
            )

    def unmute(self, channel: str, thread: str) -> None:
        with self._database.session() as session:
            row = session.get(MutedThreadRow, (channel, thread))
            if row is not None:
                session.delete(row)


class Escalations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, escalation: Escalation) -> bool:
        """Keep that people are called; False where they have been called about this answer, or
        there is no such answer.
        """
        with self._database.session() as session:
            if session.get(AnswerRow, escalation.answer_id, with_for_update=True) is None:
                return False
            if session.get(EscalationRow, escalation.answer_id) is not None:
                return False
            session.add(
                EscalationRow(
                    answer_id=escalation.answer_id,
                    channel=escalation.channel,
                    thread=escalation.thread,
                    asked_by=escalation.asked_by,
                    asked_at=datetime.now(UTC),
                    owners=list(escalation.owners),
                    answered_by=None,
                )
            )
            return True

    def find(self, answer_id: str) -> Escalation | None:
        with self._database.reading() as session:
            row = session.get(EscalationRow, answer_id)
            return _escalation(row) if row else None

    def waiting(self, channel: str, thread: str) -> list[Escalation]:
        """A thread's escalations without a reply, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(EscalationRow)
                .where(
                    EscalationRow.channel == channel,
                    EscalationRow.thread == thread,
                    EscalationRow.answered_by.is_(None),
                )
                .order_by(EscalationRow.asked_at)
            )
            return [_escalation(row) for row in rows]

    def replied(self, answer_id: str, by: str) -> None:
        """Note the first reply: what that person says next is no longer taken as the answer."""
        with self._database.session() as session:
            session.get_one(EscalationRow, answer_id).answered_by = by


def _escalation(row: EscalationRow) -> Escalation:
    return Escalation(row.answer_id, row.channel, row.thread, row.asked_by, tuple(row.owners))
