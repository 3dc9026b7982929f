"""The records' tables. Every change here needs a migration beside it; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
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
    """The one answer of a question, with the versions of everything that shaped it."""

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
    """A judgement with its probability; training reads it."""

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


class MutedThreadRow(Base):
    """A thread in which the bot answers nothing but mentions."""

    __tablename__ = "muted_threads"

    channel: Mapped[str] = mapped_column(String(64), primary_key=True)
    thread: Mapped[str] = mapped_column(String(64), primary_key=True)
    muted_by: Mapped[str] = mapped_column(String(64))
    muted_at: Mapped[datetime]


class EscalationRow(Base):
    """An answer about which people were asked; the key lets that happen once."""

    __tablename__ = "escalations"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(String(64), index=True)
    thread: Mapped[str] = mapped_column(String(64))
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    owners: Mapped[list[str]]
    """Who was called; the first reply of one of them ends it."""
    answered_by: Mapped[str | None] = mapped_column(String(64))


class ChannelRow(Base):
    """How one channel is served; a channel without a row has the defaults."""

    __tablename__ = "channels"

    channel: Mapped[str] = mapped_column(String(64), primary_key=True)
    auto_answer: Mapped[bool]
    owners: Mapped[list[str]]
    language: Mapped[str] = mapped_column(String(16))
    persona: Mapped[str] = mapped_column(Text, server_default="")
    sources: Mapped[list[str]] = mapped_column(server_default="[]")


class PersonRow(Base):
    """What one person has chosen for themselves."""

    __tablename__ = "people"

    person: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str] = mapped_column(String(16))


class AuditRow(Base):
    """One act of an admin. Rows are only ever added."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(128))


class ReindexRow(Base):
    """One reindex that an admin asked for.

    ``running`` is true until it has ended and then null: the database lets one be true.
    """

    __tablename__ = "reindexes"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)
    dry_run: Mapped[bool]
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    running: Mapped[bool | None] = mapped_column(unique=True)
    cancelled_by: Mapped[str] = mapped_column(String(64))


class InstallationRow(Base):
    """One workspace that installed the app; its tokens are encrypted."""

    __tablename__ = "installations"

    team: Mapped[str] = mapped_column(String(64), primary_key=True)
    app: Mapped[str] = mapped_column(String(64))
    bot: Mapped[str] = mapped_column(String(64))
    bot_user: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]]
    token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime | None]
    installed_by: Mapped[str] = mapped_column(String(64))
    installed_at: Mapped[datetime]


class OAuthStateRow(Base):
    """An OAuth installation that was begun: only the digest of its state is kept."""

    __tablename__ = "oauth_states"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    issued_at: Mapped[datetime]


class ForgottenRow(Base):
    """A person or a document that was to be forgotten, by the digest of the id, and when last."""

    __tablename__ = "forgotten"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]


class ModelVersionRow(Base):
    """A model file that may serve; with ``base``, a LoRA adapter that needs the base's file."""

    __tablename__ = "model_versions"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    """Relative where the file lies in the registry's own folder, else absolute."""
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    quantization: Mapped[str] = mapped_column(String(32))
    base: Mapped[str | None] = mapped_column(ForeignKey("model_versions.name"))
    source: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]
    evaluation: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(Text)


class ModelChangeRow(Base):
    """What serves after one change, whole, and who made it; the newest row holds now.

    Rows are only ever added. Names are kept as they were: a version may be gone since.
    """

    __tablename__ = "model_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(128))
    serving: Mapped[str | None] = mapped_column(String(128))
    canary: Mapped[str | None] = mapped_column(String(128))
    share: Mapped[float] = mapped_column(Float)
    channels: Mapped[list[str]]
    before: Mapped[int | None] = mapped_column(ForeignKey("model_changes.id"))
    """The change to whose ``serving`` a rollback returns."""
    by: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]
