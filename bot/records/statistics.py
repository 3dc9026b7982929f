"""Counts over the records: for admins (votes per week, worst pages) and for monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from bot.domain.values import Ending, Reason, Thumb
from bot.records.database import Database
from bot.records.tables import AnswerRow, CorrectionRow, PassageRow, QuestionRow, VoteRow
from indexer.documents import PUBLIC

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Week:
    """The votes of seven days, which begin at ``starts``."""

    starts: datetime
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page and how often answers that cited it were voted down."""

    title: str
    url: str
    down: int
    up: int
    document_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """One question of the records; ``ts`` is the message that holds its answer."""

    id: str
    team: str
    channel: str
    ts: str
    text: str
    is_direct: bool
    asked_at: datetime
    ending: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything so far: answers by their ending, votes by thumb, and what waits now.

    A question that was refused, or given up, has no answer and does not wait.
    """

    questions: int
    waiting: int
    endings: Mapping[str, int]
    thumbs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """The records at this moment; numbers fall where something was forgotten.

    ``answers`` counts by ending and occasion, ``votes`` by thumb. ``queued`` are questions that
    have not had their turn, ``working`` those that have it; ``oldest_seconds`` is the age of the
    oldest of both, 0 where none waits.
    """

    questions: int
    queued: int
    working: int
    oldest_seconds: float
    answers: Mapping[tuple[str, str], int]
    votes: Mapping[str, int]


class Statistics:
    def __init__(self, database: Database) -> None:
        self._database = database

    def totals(self) -> Totals:
        with self._database.reading() as session:
            questions = session.scalar(select(func.count(QuestionRow.id))) or 0
            endings = session.execute(
                select(AnswerRow.ending, func.count()).group_by(AnswerRow.ending)
            )
            by_ending = {str(name): int(count) for name, count in endings}
            answered = select(AnswerRow.question_id)
            waiting = session.scalar(
                select(func.count(QuestionRow.id)).where(
                    QuestionRow.finished_at.is_(None), QuestionRow.id.not_in(answered)
                )
            )
            by_thumb = _votes_by_thumb(session)
        return Totals(questions, waiting or 0, by_ending, by_thumb)

    def figures(self, now: datetime | None = None) -> Figures:
        """For monitoring. Raises RecordsError."""
        now = now or datetime.now(UTC)
        is_open, has_turn = QuestionRow.finished_at.is_(None), QuestionRow.begun_at.is_not(None)
        count = select(func.count(QuestionRow.id))
        with self._database.reading() as session:
            questions = session.scalar(count) or 0
            waiting = session.scalar(count.where(is_open)) or 0
            working = session.scalar(count.where(is_open, has_turn)) or 0
            oldest = session.scalar(select(func.min(QuestionRow.asked_at)).where(is_open))
            answers = session.execute(
                select(AnswerRow.ending, QuestionRow.occasion, func.count())
                .join(QuestionRow)
                .group_by(AnswerRow.ending, QuestionRow.occasion)
            )
            return Figures(
                questions=questions,
                queued=waiting - working,
                working=working,
                oldest_seconds=max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
                answers={(ending, occasion): number for ending, occasion, number in answers},
                votes=_votes_by_thumb(session),
            )

    def weeks(self, count: int = 8, now: datetime | None = None) -> list[Week]:
        """The votes of the last weeks, the oldest first, the last one ending now."""
        now = now or datetime.now(UTC)
        first = now - count * _WEEK
        with self._database.reading() as session:
            cast = session.execute(
                select(VoteRow.cast_at, VoteRow.thumb).where(VoteRow.cast_at > first)
            )
            votes = Counter((int((at - first) / _WEEK), thumb) for at, thumb in cast)
        return [
            Week(first + week * _WEEK, votes[week, Thumb.UP], votes[week, Thumb.DOWN])
            for week in range(count)
        ]

    def worst_pages(self, limit: int = 5, now: datetime | None = None) -> list[Page]:
        """Public pages whose citing answers were voted down most in the last eight weeks.

        Only public pages: an admin may not be allowed to read the others.
        """
        since = (now or datetime.now(UTC)) - 8 * _WEEK
        cited = (
            select(
                PassageRow.document_id,
                PassageRow.title,
                PassageRow.url,
                PassageRow.audience,
                VoteRow.thumb,
            )
            .join(VoteRow, VoteRow.answer_id == PassageRow.answer_id)
            .where(PassageRow.citation.is_not(None), VoteRow.cast_at > since)
        )
        pages: dict[str, tuple[str, str]] = {}
        votes: Counter[tuple[str, str]] = Counter()
        with self._database.reading() as session:
            for document_id, title, url, audience, thumb in session.execute(cited):
                if PUBLIC in audience:
                    pages[document_id] = (title, url)
                    votes[document_id, thumb] += 1
        found = [
            Page(*pages[key], down=votes[key, Thumb.DOWN], up=votes[key, Thumb.UP], document_id=key)
            for key in pages
        ]
        return sorted(
            (page for page in found if page.down), key=lambda page: (-page.down, page.up)
        )[:limit]

    def unanswered(self, days: int = 7, now: datetime | None = None) -> list[AskedBefore]:
        """Questions to which nothing was found, or nothing of use, the newest first."""
        since = (now or datetime.now(UTC)) - timedelta(days=days)
        missed = select(CorrectionRow.answer_id).where(CorrectionRow.reason == Reason.NOT_FOUND)
        return self._questions(
            QuestionRow.asked_at > since,
            or_(AnswerRow.ending == Ending.NOT_FOUND, AnswerRow.id.in_(missed)),
        )

    def of_person(self, person: str, limit: int = 5) -> list[AskedBefore]:
        """A person's answered questions, the newest first."""
        return self._questions(and_(QuestionRow.asker == person))[:limit]

    def _questions(self, *wanted: ColumnElement[bool]) -> list[AskedBefore]:
        with self._database.reading() as session:
            rows = session.execute(
                select(QuestionRow, AnswerRow.ending)
                .join(AnswerRow, AnswerRow.question_id == QuestionRow.id)
                .where(*wanted)
                .order_by(QuestionRow.asked_at.desc())
                .limit(200)
            )
            return list(_asked(rows))


def _votes_by_thumb(session: Session) -> dict[str, int]:
    thumbs = session.execute(select(VoteRow.thumb, func.count()).group_by(VoteRow.thumb))
    return {str(thumb): int(count) for thumb, count in thumbs}


def _asked(rows: Iterable[tuple[QuestionRow, str]]) -> Iterable[AskedBefore]:
    for row, ending in rows:
        yield AskedBefore(
            id=row.id,
            team=row.team,
            channel=row.channel,
            ts=row.reply_ts or "",
            text=row.text,
            is_direct=row.is_direct,
            asked_at=row.asked_at,
            ending=ending,
        )
