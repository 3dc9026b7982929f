"""Orders the questions of each thread: one is answered at a time, the earliest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.domain.values import timestamp_of
from bot.records.database import Database
from bot.records.tables import QuestionRow


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A question that is still to be answered, by its id and its workspace's.

    Those of one thread, of which one is answered at a time, have the same ``line``.
    """

    question_id: str
    team: str
    line: str


class Turns:
    """A turn begins once and ends once. Questions outside of threads do not wait."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, question_id: str) -> str | None:
        """The question whose turn it is in that question's thread, from now on if not before.

        None where all of them are finished, or the question is not kept any more.
        """
        with self._database.session() as session:
            row = session.get(QuestionRow, question_id)
            if row is None:
                return None
            open_ones = [one for one in _beside(session, row) if one.finished_at is None]
            if not open_ones:
                return None
            turn = min(open_ones, key=_order)
            turn.begun_at = turn.begun_at or datetime.now(UTC)
            return turn.id

    def end(self, question_id: str) -> bool:
        """Let the next one have its turn; False where the question is not kept any more."""
        with self._database.session() as session:
            row = session.get(QuestionRow, question_id)
            if row is None:
                return False
            row.finished_at = row.finished_at or datetime.now(UTC)
            return True

    def unfinished(self) -> list[Unfinished]:
        """Every question that waits for its turn or has it."""
        with self._database.reading() as session:
            rows = session.execute(
                select(QuestionRow.id, QuestionRow.team, QuestionRow.channel, QuestionRow.thread)
                .where(QuestionRow.finished_at.is_(None))
                .order_by(QuestionRow.asked_at)
            )
            return [Unfinished(id_, team, _line(id_, *thread)) for id_, team, *thread in rows]


def _beside(session: Session, row: QuestionRow) -> Sequence[QuestionRow]:
    """The unfinished questions of a thread, locked against other processes."""
    if not row.thread:
        return [row]
    return session.scalars(
        select(QuestionRow)
        .where(
            QuestionRow.channel == row.channel,
            QuestionRow.thread == row.thread,
            QuestionRow.finished_at.is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)  # read again after waiting for the lock
    ).all()


def _line(question_id: str, channel: str, thread: str) -> str:
    return f"{channel} {thread}" if thread else question_id


def _order(row: QuestionRow) -> tuple[bool, float]:
    """The question that has the turn keeps it; else by when Slack says that it was written."""
    ts = timestamp_of(row.id)
    return row.begun_at is None, float(ts) if ts else row.asked_at.timestamp()
