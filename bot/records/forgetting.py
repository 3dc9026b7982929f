"""Deletes what a person asked and said, or the answers that were shown a document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, delete, exists, not_, select, true, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.records.audit import without_names
from bot.records.database import Database
from bot.records.suppression_list import Forgotten, Kind, digest_of, moments, pseudonym, remember
from bot.records.tables import (
    AnswerRow,
    AuditRow,
    ChannelRow,
    CorrectionRow,
    EscalationRow,
    MutedThreadRow,
    PassageRow,
    PersonRow,
    QuestionRow,
    VoteChangeRow,
    VoteRow,
)

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
        backup from before does not bring it back. What stays is what they did as an admin, in the
        audit log and the registry's history: people cannot erase the account of their own acts.
        Where others acted on them, the log names a pseudonym.

        Another person's follow-up question may have been searched for with words of theirs that
        stood in its thread. Which person had said them is not kept, so that all follow-ups in
        channels are left with the words of their askers alone.
        """
        with self._database.session() as session:
            remember(session, [_now(Kind.PERSON, user)])
            _off_all_lists(session, user)
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
            before = moments(session, Kind.PERSON)
            remember(session, items)
            people, documents = (moments(session, kind) for kind in Kind)
            found = 0
            for user in _people(session):
                digest = digest_of(Kind.PERSON, user)
                if at := people.get(digest):
                    _person(session, user, at)
                    if before.get(digest) != at:  # else it is newer than what was forgotten
                        _off_all_lists(session, user)
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
    for act in session.scalars(
        select(AuditRow).where(
            AuditRow.subject.contains(user, autoescape=True), _not_after(AuditRow.at, until)
        )
    ):
        told = without_names(act.subject)
        act.subject = re.sub(rf"\b{re.escape(user)}\b", pseudonym(user), told)
    in_channels = select(QuestionRow.id).where(not_(QuestionRow.is_direct))
    _forget_threads(session, AnswerRow.question_id.in_(in_channels), until)
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
    threads = select(QuestionRow.channel, QuestionRow.thread).join(AnswerRow).where(shown)
    beside = select(QuestionRow.id).where(
        tuple_(QuestionRow.channel, QuestionRow.thread).in_(threads)
    )
    _forget_threads(session, AnswerRow.question_id.in_(beside), until)
    gone = session.scalars(
        delete(AnswerRow)
        .where(and_(shown, _not_after(AnswerRow.answered_at, until)))
        .returning(AnswerRow.id)
    )
    return len(gone.all())


def _forget_threads(session: Session, which: ColumnElement[bool], until: datetime | None) -> None:
    """Answers to follow-ups no longer tell what their threads had added to the question."""
    session.execute(
        update(AnswerRow).where(which, _not_after(AnswerRow.answered_at, until)).values(searched="")
    )


def _not_after(
    moment: InstrumentedAttribute[datetime], until: datetime | None
) -> ColumnElement[bool]:
    return moment <= until if until else true()


def _now(kind: Kind, name: str) -> Forgotten:
    return Forgotten(kind, digest_of(kind, name), datetime.now(UTC))


def _people(session: Session) -> set[str]:
    """Ids of all people of whom the records hold something that would be forgotten with them."""
    found: set[str] = set()
    for column in _PEOPLE:
        found.update(filter(None, session.scalars(select(column).distinct())))
    for row in (*session.scalars(select(ChannelRow)), *session.scalars(select(EscalationRow))):
        found.update(row.owners)
    return found


def _off_all_lists(session: Session, user: str) -> None:
    """What is kept without a date. Lists are JSON, which not every database can search."""
    session.execute(delete(PersonRow).where(PersonRow.person == user))
    for row in (*session.scalars(select(ChannelRow)), *session.scalars(select(EscalationRow))):
        if user in row.owners:
            row.owners = [owner for owner in row.owners if owner != user]
