"""Votes: one a person and answer, the last one wins."""

from __future__ import annotations

from sqlalchemy import select

from bot.domain import Thumb, Vote
from bot.records.database import Database
from bot.records.tables import AnswerRow, VoteRow


class Votes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def cast(self, vote: Vote) -> bool:
        """Keep a vote in place of the voter's earlier one; False where there is no such answer."""
        with self._database.session() as session:
            if session.get(AnswerRow, vote.answer_id, with_for_update=True) is None:
                return False
            session.merge(
                VoteRow(
                    answer_id=vote.answer_id,
                    voter=vote.voter,
                    thumb=vote.thumb,
                    cast_at=vote.cast_at,
                )
            )
            return True

    def withdraw(self, answer_id: str, voter: str, thumb: Thumb | None = None) -> bool:
        """Remove a person's vote, or only one of that ``thumb``; False where there is none."""
        with self._database.session() as session:
            row = session.get(VoteRow, (answer_id, voter))
            if row is None or thumb not in (None, row.thumb):
                return False
            session.delete(row)
            return True

    def of(self, answer_id: str) -> list[Vote]:
        """All votes on an answer, oldest first."""
        with self._database.session() as session:
            rows = session.scalars(
                select(VoteRow).where(VoteRow.answer_id == answer_id).order_by(VoteRow.cast_at)
            )
            return [Vote(row.answer_id, row.voter, Thumb(row.thumb), row.cast_at) for row in rows]
