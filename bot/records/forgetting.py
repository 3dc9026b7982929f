"""Forgetting: what a person asked and said, and what rested on a document, leave the records."""

from __future__ import annotations

from sqlalchemy import delete, exists, update

from bot.records.database import Database
from bot.records.tables import AnswerRow, CorrectionRow, PassageRow, QuestionRow, VoteRow
from bot.records.thread_tables import EscalationRow, MutedThreadRow


class Forgetting:
    def __init__(self, database: Database) -> None:
        self._database = database

    def person(self, user: str) -> int:
        """Delete a person's questions with their answers, votes and corrections.

        Returns how many questions went. The next dataset is built without all of it.
        """
        with self._database.session() as session:
            session.execute(delete(VoteRow).where(VoteRow.voter == user))
            session.execute(delete(CorrectionRow).where(CorrectionRow.author == user))
            session.execute(delete(EscalationRow).where(EscalationRow.asked_by == user))
            session.execute(
                update(MutedThreadRow).where(MutedThreadRow.muted_by == user).values(muted_by="")
            )
            gone = session.scalars(
                delete(QuestionRow).where(QuestionRow.asker == user).returning(QuestionRow.id)
            )
            return len(gone.all())

    def document(self, document_id: str) -> int:
        """Delete every answer that was shown a document's text; the questions stay.

        Returns how many answers went.
        """
        shown = exists().where(
            PassageRow.answer_id == AnswerRow.id, PassageRow.document_id == document_id
        )
        with self._database.session() as session:
            gone = session.scalars(delete(AnswerRow).where(shown).returning(AnswerRow.id))
            return len(gone.all())
