"""The tables of running the bot: settings of channels and people, reindexes, the audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.records.tables import Base


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
    """An installation that somebody has begun: only the digest of its state is kept."""

    __tablename__ = "oauth_states"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    issued_at: Mapped[datetime]


class ForgottenRow(Base):
    """A person or a document that was to be forgotten, by the digest of the id, and when last."""

    __tablename__ = "forgotten"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
