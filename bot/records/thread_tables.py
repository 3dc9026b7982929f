"""The tables of threads: where the bot keeps quiet, and whom it has called."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.records.tables import Base


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
