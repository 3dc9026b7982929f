"""The tables. Every change here needs a migration beside it; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """A moment; SQLite forgets time zones, so every moment is stored and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own convention
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class QuestionRow(Base):
    """A question as it arrived; ``reply_ts`` is the message that will hold its answer."""

    __tablename__ = "questions"
    __table_args__ = (Index("ix_questions_channel_thread", "channel", "thread"),)

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), index=True)
    channel: Mapped[str] = mapped_column(String(64))
    thread: Mapped[str] = mapped_column(String(64))
    asker: Mapped[str] = mapped_column(String(64), index=True)
    text: Mapped[str] = mapped_column(Text)
    is_direct: Mapped[bool]
    is_shared: Mapped[bool | None]
    team: Mapped[str] = mapped_column(String(64))
    occasion: Mapped[str] = mapped_column(String(16))
    response_url: Mapped[str] = mapped_column(Text)
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """What was attached, without its content; why, where it could not be read."""
    asked_at: Mapped[datetime]
    reply_attempted_at: Mapped[datetime | None]
    reply_ts: Mapped[str | None] = mapped_column(String(64), index=True)
    begun_at: Mapped[datetime | None]
    """When its turn came among the questions of its thread."""
    finished_at: Mapped[datetime | None] = mapped_column(index=True)

    answer: Mapped[AnswerRow | None] = relationship(back_populates="question")


class AnswerRow(Base):
    """One answer a question, with the versions of everything that shaped it."""

    __tablename__ = "answers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    question_id: Mapped[str] = mapped_column(
        ForeignKey("questions.id", ondelete="CASCADE"), unique=True
    )
    text: Mapped[str] = mapped_column(Text)
    ending: Mapped[str] = mapped_column(String(32))
    audience: Mapped[list[str]]
    """The principals whom its readers held; what an answer used is never shown to fewer."""
    answered_at: Mapped[datetime]
    prompt_version: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(255))
    adapter: Mapped[str] = mapped_column(String(255))
    embedder: Mapped[str] = mapped_column(String(255))
    searched: Mapped[str] = mapped_column(Text, server_default="")
    """The question as it was searched for, where that is not what was written; else empty."""
    seconds: Mapped[dict[str, Any]]

    question: Mapped[QuestionRow] = relationship(back_populates="answer")
    passages: Mapped[list[PassageRow]] = relationship(
        order_by="PassageRow.rank", cascade="all, delete-orphan"
    )
    reflections: Mapped[list[ReflectionRow]] = relationship(
        order_by="ReflectionRow.position", cascade="all, delete-orphan"
    )
    votes: Mapped[list[VoteRow]] = relationship(
        order_by="VoteRow.cast_at", cascade="all, delete-orphan"
    )
    corrections: Mapped[list[CorrectionRow]] = relationship(
        order_by="CorrectionRow.given_at", cascade="all, delete-orphan"
    )


class PassageRow(Base):
    """A passage an answer rests on or was judged against, as its text was then."""

    __tablename__ = "answer_passages"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(Text, index=True)
    position: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    headers: Mapped[list[str]]
    text: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    modified: Mapped[datetime | None]
    audience: Mapped[list[str]]
    score: Mapped[float] = mapped_column(Float)
    similarity: Mapped[float] = mapped_column(Float)
    lexical: Mapped[float] = mapped_column(Float)
    citation: Mapped[int | None]
    """The number of ``[n]`` in the answer; null where the passage is not cited."""
    nearest: Mapped[bool]
    """Whether it was offered as nearest document of an answer that found nothing."""


class ReflectionRow(Base):
    """A judgement with its probability; tomorrow's training data."""

    __tablename__ = "reflections"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(Text)
    probability: Mapped[float] = mapped_column(Float)


class VoteRow(Base):
    """One person's thumb on one answer; the key makes a second one replace the first."""

    __tablename__ = "votes"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    voter: Mapped[str] = mapped_column(String(64), primary_key=True)
    thumb: Mapped[str] = mapped_column(String(8))
    cast_at: Mapped[datetime]


class VoteChangeRow(Base):
    """When a person last voted on an answer or took the vote back, which leaves no vote."""

    __tablename__ = "vote_changes"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    voter: Mapped[str] = mapped_column(String(64), primary_key=True)
    changed_at: Mapped[datetime]


class CorrectionRow(Base):
    """What one person says an answer should have been; the key makes a second one replace it."""

    __tablename__ = "corrections"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    author: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    may_learn: Mapped[bool]
    given_at: Mapped[datetime]
