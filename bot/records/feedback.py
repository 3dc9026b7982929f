"""Feedback: every answer beside all that people said of it, which is what learning reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from bot.domain.values import Answer, Correction, Vote
from bot.records.answers import Answers
from bot.records.corrections import Corrections
from bot.records.database import Database
from bot.records.tables import AnswerRow, QuestionRow
from bot.records.votes import Votes

_LINK = re.compile(r"/archives/(?P<channel>\w+)/p(?P<seconds>\d+)(?P<fraction>\d{6})")


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer with its votes and corrections, oldest first; both are empty where nobody spoke."""

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
