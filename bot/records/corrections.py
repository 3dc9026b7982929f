"""Corrections: one a person and answer, the last one wins; only what may be learned is learned."""

from __future__ import annotations

from sqlalchemy import select

from bot.domain.values import Correction, CorrectionKind, Reason
from bot.records.database import Database
from bot.records.tables import AnswerRow, CorrectionRow


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
