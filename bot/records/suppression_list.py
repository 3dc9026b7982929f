"""The suppression list: digests of who and what was forgotten, and when.

It goes into every backup, so that restoring an older one brings back nothing that is on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from bot.records.engine import engine_at
from bot.records.tables import ForgottenRow


class Kind(StrEnum):
    PERSON = "person"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """``digest`` stands for an id; what came before ``at`` is to be gone."""

    kind: Kind
    digest: str
    at: datetime


def digest_of(kind: Kind, name: str) -> str:
    """SHA-256, as hexadecimal digits. A pseudonym, no secret: an id that is guessed can be checked
    against the list.
    """
    return hashlib.sha256(f"lorebot forgets the {kind} {name}".encode()).hexdigest()


def pseudonym(user: str) -> str:
    """What stands for a forgotten person where an admin's act is told."""
    return f"forgotten-{digest_of(Kind.PERSON, user)[:12]}"


def remember(session: Session, items: Iterable[Forgotten]) -> None:
    """Put them on the list; of two of the same the later counts."""
    for item in items:
        row = session.get(ForgottenRow, (item.kind, item.digest))
        if row is None:
            session.add(ForgottenRow(kind=item.kind, digest=item.digest, at=item.at))
            session.flush()  # so that the next one of the same finds it
        else:
            row.at = max(row.at, item.at)


def moments(session: Session, kind: Kind) -> Mapping[str, datetime]:
    """Since when each digest of that kind is to be gone."""
    rows = session.scalars(select(ForgottenRow).where(ForgottenRow.kind == kind))
    return {row.digest: row.at for row in rows}


def forgotten_in(url: str) -> tuple[Forgotten, ...]:
    """The list of a database, which is neither created nor migrated. Raises RecordsError."""
    with engine_at(url, "Who was forgotten could not be read from the records") as engine:
        if not inspect(engine).has_table(ForgottenRow.__tablename__):
            return ()
        with Session(engine) as session:
            rows = session.scalars(select(ForgottenRow).order_by(ForgottenRow.at))
            return tuple(Forgotten(Kind(row.kind), row.digest, row.at) for row in rows)
