"""Votes: one a person and answer, the newest wins, in whatever order Slack tells of them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.domain.values import Thumb, Vote
from bot.records.database import Database
from bot.records.tables import AnswerRow, VoteChangeRow, VoteRow


class Votes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def cast(self, vote: Vote) -> bool:
        """Keep a vote in place of the voter's earlier one.

        False where there is no such answer, or the voter has voted or taken the vote back since,
        or at that very moment: then this is told late, or once more.
        """
        with self._database.session() as session:
            if session.get(AnswerRow, vote.answer_id, with_for_update=True) is None:
                return False
            if not _is_news(session, vote.answer_id, vote.voter, vote.cast_at):
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

    def withdraw(
        self,
        answer_id: str,
        voter: str,
        thumb: Thumb | None = None,
        at: datetime | None = None,
    ) -> bool:
        """Remove a person's vote, or only one of that ``thumb``; ``at`` is now if not given.

        False where there is none, or it was cast since.
        """
        with self._database.session() as session:
            if session.get(AnswerRow, answer_id, with_for_update=True) is None:
                return False
            row = session.get(VoteRow, (answer_id, voter))
            if row is not None and thumb not in (None, row.thumb):
                return False
            if not _is_news(session, answer_id, voter, at or datetime.now(UTC)) or row is None:
                return False
            session.delete(row)
            return True

    def of(self, answer_id: str) -> list[Vote]:
        """All votes on an answer, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(VoteRow).where(VoteRow.answer_id == answer_id).order_by(VoteRow.cast_at)
            )
            return [Vote(row.answer_id, row.voter, Thumb(row.thumb), row.cast_at) for row in rows]


def _is_news(session: Session, answer_id: str, voter: str, at: datetime) -> bool:
    """Whether nothing as new is known of this person; if so, this is the newest from now on."""
    known = session.get(VoteChangeRow, (answer_id, voter))
    if known is not None and known.changed_at >= at:
        return False
    session.merge(VoteChangeRow(answer_id=answer_id, voter=voter, changed_at=at))
    return True
