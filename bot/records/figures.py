"""The records in numbers, for monitoring: what is kept, and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from bot.records.database import Database
from bot.records.tables import AnswerRow, QuestionRow, VoteRow


@dataclass(frozen=True, slots=True)
class Figures:
    """Of this moment; also smaller than before, where something was forgotten.

    ``answers`` counts by ending and occasion, ``votes`` by thumb. ``queued`` are questions that
    have not had their turn, ``working`` those that have it; ``oldest_seconds`` is the age of the
    oldest of both, 0 where none waits.
    """

    questions: int
    queued: int
    working: int
    oldest_seconds: float
    answers: Mapping[tuple[str, str], int]
    votes: Mapping[str, int]


def figures(database: Database, now: datetime | None = None) -> Figures:
    """Raises RecordsError."""
    now = now or datetime.now(UTC)
    is_open, has_turn = QuestionRow.finished_at.is_(None), QuestionRow.begun_at.is_not(None)
    with database.reading() as session:
        questions = session.scalar(select(func.count(QuestionRow.id))) or 0
        waiting = session.scalar(select(func.count(QuestionRow.id)).where(is_open)) or 0
        working = session.scalar(select(func.count(QuestionRow.id)).where(is_open, has_turn)) or 0
        oldest = session.scalar(select(func.min(QuestionRow.asked_at)).where(is_open))
        answers = session.execute(
            select(AnswerRow.ending, QuestionRow.occasion, func.count())
            .join(QuestionRow)
            .group_by(AnswerRow.ending, QuestionRow.occasion)
        )
        votes = session.execute(select(VoteRow.thumb, func.count()).group_by(VoteRow.thumb))
        return Figures(
            questions=questions,
            queued=waiting - working,
            working=working,
            oldest_seconds=max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
            answers={(ending, occasion): count for ending, occasion, count in answers},
            votes={str(thumb): int(count) for thumb, count in votes},
        )
