"""Votes and corrections, one per person and answer, and every answer beside all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.domain.values import Answer, Correction, CorrectionKind, Reason, Thumb, Vote
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.tables import AnswerRow, CorrectionRow, QuestionRow, VoteChangeRow, VoteRow


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


class Corrections:
    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, correction: Correction) -> bool:
        """Keep it in place of the author's earlier one; False where there is no such answer."""
        with self._database.session() as session:
            if session.get(AnswerRow, correction.answer_id, with_for_update=True) is None:
                return False
            session.merge(
                CorrectionRow(
                    answer_id=correction.answer_id,
                    author=correction.author,
                    kind=correction.kind,
                    reason=correction.reason,
                    text=correction.text,
                    may_learn=correction.may_learn,
                    given_at=correction.given_at,
                )
            )
            return True

    def withdraw(self, answer_id: str, author: str) -> bool:
        """Remove a person's correction of an answer; False where there was none."""
        with self._database.session() as session:
            row = session.get(CorrectionRow, (answer_id, author))
            if row is None:
                return False
            session.delete(row)
            return True

    def of(self, answer_id: str) -> list[Correction]:
        """All corrections of an answer, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(CorrectionRow)
                .where(CorrectionRow.answer_id == answer_id)
                .order_by(CorrectionRow.given_at)
            )
            return [_correction(row) for row in rows]


def _correction(row: CorrectionRow) -> Correction:
    return Correction(
        answer_id=row.answer_id,
        author=row.author,
        text=row.text,
        reason=Reason(row.reason) if row.reason else None,
        may_learn=row.may_learn,
        kind=CorrectionKind(row.kind),
        given_at=row.given_at,
    )


_LINK = re.compile(r"/archives/(?P<channel>\w+)/p(?P<seconds>\d+)(?P<fraction>\d{6})")


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer with its votes and corrections, oldest first; both may be empty."""

    answer_id: str
    asked_at: datetime
    is_direct: bool
    answer: Answer
    votes: tuple[Vote, ...]
    corrections: tuple[Correction, ...]


class Feedback:
    def __init__(self, database: Database) -> None:
        self._database = database

    def judged(self) -> Iterator[Judged]:
        """All answers as they are in the records now, in the order they were asked for."""
        for answer_id, asked_at, is_direct in self._asked():
            if judged := self._judged(answer_id, asked_at, is_direct):
                yield judged

    def find(self, which: str = "") -> Judged | None:
        """One answer: by its id, its question's id or the link to its message; else the newest."""
        with self._database.reading() as session:
            rows = select(AnswerRow.id, QuestionRow.asked_at, QuestionRow.is_direct).join(
                QuestionRow
            )
            if link := _LINK.search(which):
                ts = f"{link['seconds']}.{link['fraction']}"
                rows = rows.where(
                    QuestionRow.channel == link["channel"],
                    or_(QuestionRow.reply_ts == ts, QuestionRow.id == f"{link['channel']}:{ts}"),
                )
            elif which:
                rows = rows.where(or_(AnswerRow.id == which, QuestionRow.id == which))
            row = session.execute(rows.order_by(AnswerRow.answered_at.desc())).first()
        return self._judged(row.id, row.asked_at, row.is_direct) if row else None

    def _judged(self, answer_id: str, asked_at: datetime, is_direct: bool) -> Judged | None:
        answer = Answers(self._database).answer(answer_id)
        if answer is None:  # it was deleted a moment ago
            return None
        return Judged(
            answer_id,
            asked_at,
            is_direct,
            answer,
            tuple(Votes(self._database).of(answer_id)),
            tuple(Corrections(self._database).of(answer_id)),
        )

    def _asked(self) -> list[tuple[str, datetime, bool]]:
        with self._database.reading() as session:
            rows = session.execute(
                select(AnswerRow.id, QuestionRow.asked_at, QuestionRow.is_direct)
                .join(QuestionRow)
                .order_by(QuestionRow.asked_at, QuestionRow.id)
            )
            return [(row.id, row.asked_at, row.is_direct) for row in rows]
