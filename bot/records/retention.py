"""Deletes records older than [retention] allows, a few hundred rows per transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, false, func, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.domain.settings import RetentionTable
from bot.records.database import Database
from bot.records.tables import (
    AnswerRow,
    AuditRow,
    CorrectionRow,
    MutedThreadRow,
    QuestionRow,
    ReindexRow,
    VoteRow,
)

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Expired:
    """How much of each was deleted, or would be."""

    questions: int = 0
    muted_threads: int = 0
    acts: int = 0
    reindexes: int = 0

    def __str__(self) -> str:
        return (
            f"{self.questions} questions with their answers, {self.muted_threads} muted threads, "
            f"{self.acts} acts of admins, {self.reindexes} reindexes"
        )


class Retention:
    def __init__(self, database: Database, table: RetentionTable) -> None:
        self._database = database
        self._table = table

    def expired(self, now: datetime | None = None) -> Expired:
        """What ``delete`` would delete."""
        with self._database.reading() as session:
            return Expired(*(_count(session, rule) for rule in self._rules(now)))

    def delete(self, now: datetime | None = None) -> Expired:
        """Repeated after a crash, it goes on. A question that is not answered yet stays."""
        return Expired(*(sum(self._deleted(rule)) for rule in self._rules(now)))

    def _rules(self, now: datetime | None) -> tuple[_Rule, ...]:
        """In the order of the fields of Expired."""
        now, table = now or datetime.now(UTC), self._table
        judged_days = table.answers_days if table.judged_days is None else table.judged_days
        asked, judged = QuestionRow.asked_at, _judged()
        return (
            _Rule(
                QuestionRow.id,
                and_(
                    QuestionRow.finished_at.is_not(None),
                    or_(
                        and_(judged, _older(asked, judged_days, now)),
                        and_(not_(judged), _older(asked, table.answers_days, now)),
                    ),
                ),
            ),
            _Rule(MutedThreadRow.thread, _older(MutedThreadRow.muted_at, table.answers_days, now)),
            _Rule(AuditRow.id, _older(AuditRow.at, table.audit_days, now)),
            _Rule(
                ReindexRow.id,
                and_(
                    ReindexRow.running.is_(None), _older(ReindexRow.asked_at, table.audit_days, now)
                ),
            ),
        )

    def _deleted(self, rule: _Rule) -> Iterator[int]:
        """A batch at a time, so that other writers do not wait for long."""
        while True:
            with self._database.session() as session:
                keys = session.scalars(select(rule.key).where(rule.old).limit(_BATCH)).all()
                session.execute(delete(rule.key.class_).where(rule.old, rule.key.in_(keys)))
            if not keys:
                return
            yield len(keys)


@dataclass(frozen=True, slots=True)
class _Rule:
    key: InstrumentedAttribute[Any]
    old: ColumnElement[bool]


def _count(session: Session, rule: _Rule) -> int:
    return session.scalar(select(func.count()).select_from(rule.key.class_).where(rule.old)) or 0


def _older(
    moment: InstrumentedAttribute[datetime], days: int, now: datetime
) -> ColumnElement[bool]:
    return moment < now - timedelta(days=days) if days else false()


def _judged() -> ColumnElement[bool]:
    """Whether the question's answer has a vote or a correction."""
    spoken = or_(
        exists().where(VoteRow.answer_id == AnswerRow.id),
        exists().where(CorrectionRow.answer_id == AnswerRow.id),
    )
    return exists().where(AnswerRow.question_id == QuestionRow.id, spoken)
