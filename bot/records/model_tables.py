"""The tables of the model registry: which versions there are, and every change of what serves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.records.tables import Base


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
