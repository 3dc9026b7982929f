"""Forgetting: what a person asked and said, and what rested on a document, leave the records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, delete, exists, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.records.database import Database
from bot.records.forgotten import Forgotten, Kind, digest_of, moments, remember
from bot.records.operation_tables import ChannelRow, PersonRow
from bot.records.tables import (
    AnswerRow,
    CorrectionRow,
    PassageRow,
    QuestionRow,
    VoteChangeRow,
    VoteRow,
)
from bot.records.thread_tables import EscalationRow, MutedThreadRow

_PEOPLE = (
    QuestionRow.asker,
    VoteRow.voter,
    VoteChangeRow.voter,
    CorrectionRow.author,
    EscalationRow.asked_by,
    EscalationRow.answered_by,
    MutedThreadRow.muted_by,
    PersonRow.person,
)


class Forgetting:
    def __init__(self, database: Database) -> None:
        self._database = database

    def person(self, user: str) -> int:
        """Delete a person's questions with their answers, votes and corrections, and take them
        off the lists of whom to call.

        Returns how many questions went. The next dataset is built without all of it, and a
        backup from before does not bring it back. What stays is who did what as an admin, in the
        audit log and the registry's history: nobody erases the account of their own acts.
        """
        with self._database.session() as session:
            remember(session, [_now(Kind.PERSON, user)])
            return _person(session, user)

    def document(self, document_id: str) -> int:
        """Delete every answer that was shown a document's text; the questions stay.

        Returns how many answers went.
        """
        with self._database.session() as session:
            remember(session, [_now(Kind.DOCUMENT, document_id)])
            return _document(session, document_id)

    def again(self, items: Iterable[Forgotten] = ()) -> int:
        """Forget in restored records all that is on their list and among ``items``.

        What people did after they were forgotten stays. Returns how many of the list were found.
        """
        with self._database.session() as session:
            remember(session, items)
            people, documents = (moments(session, kind) for kind in Kind)
            found = 0
            for user in _people(session):
                if at := people.get(digest_of(Kind.PERSON, user)):
                    _person(session, user, at)
                    found += 1
            for document_id in session.scalars(select(PassageRow.document_id).distinct()).all():
                if at := documents.get(digest_of(Kind.DOCUMENT, document_id)):
                    _document(session, document_id, at)
                    found += 1
            return found


def _person(session: Session, user: str, until: datetime | None = None) -> int:
    """With ``until``, only what is not newer."""
    for whose, when in (
        (VoteRow.voter, VoteRow.cast_at),
        (VoteChangeRow.voter, VoteChangeRow.changed_at),
        (CorrectionRow.author, CorrectionRow.given_at),
        (EscalationRow.asked_by, EscalationRow.asked_at),
    ):
        session.execute(delete(whose.class_).where(whose == user, _not_after(when, until)))
    session.execute(
        update(MutedThreadRow)
        .where(MutedThreadRow.muted_by == user, _not_after(MutedThreadRow.muted_at, until))
        .values(muted_by="")
    )
    session.execute(  # not None, which would mean that people are still waited for
        update(EscalationRow)
        .where(EscalationRow.answered_by == user, _not_after(EscalationRow.asked_at, until))
        .values(answered_by="")
    )
    session.execute(delete(PersonRow).where(PersonRow.person == user))
    _call_no_more(session, user)
    gone = session.scalars(
        delete(QuestionRow)
        .where(QuestionRow.asker == user, _not_after(QuestionRow.asked_at, until))
        .returning(QuestionRow.id)
    )
    return len(gone.all())


def _document(session: Session, document_id: str, until: datetime | None = None) -> int:
    shown = exists().where(
        PassageRow.answer_id == AnswerRow.id, PassageRow.document_id == document_id
    )
    gone = session.scalars(
        delete(AnswerRow)
        .where(and_(shown, _not_after(AnswerRow.answered_at, until)))
        .returning(AnswerRow.id)
    )
    return len(gone.all())


def _not_after(
    moment: InstrumentedAttribute[datetime], until: datetime | None
) -> ColumnElement[bool]:
    return moment <= until if until else true()


def _now(kind: Kind, name: str) -> Forgotten:
    return Forgotten(kind, digest_of(kind, name), datetime.now(UTC))


def _people(session: Session) -> set[str]:
    """Everybody of whom the records tell something that would be forgotten with them."""
    found: set[str] = set()
    for column in _PEOPLE:
        found.update(filter(None, session.scalars(select(column).distinct())))
    for row in (*session.scalars(select(ChannelRow)), *session.scalars(select(EscalationRow))):
        found.update(row.owners)
    return found


def _call_no_more(session: Session, user: str) -> None:
    """Lists of people are kept as JSON, which not every database can search."""
    for row in (*session.scalars(select(ChannelRow)), *session.scalars(select(EscalationRow))):
        if user in row.owners:
            row.owners = [owner for owner in row.owners if owner != user]
