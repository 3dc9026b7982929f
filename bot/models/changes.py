"""Changes of what serves: one at a time over all processes, each a row that is never rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.domain.errors import RegistryError
from bot.models.versions import Change
from bot.records.database import Database
from bot.records.tables import ModelChangeRow, ModelVersionRow

_Version = TypeVar("_Version")


@dataclass(frozen=True, slots=True)
class Changing:
    """A change that is being made: what there is, and what served until now."""

    session: Session
    rows: Mapping[str, ModelVersionRow]
    newest: ModelChangeRow

    def row(self, name: str) -> ModelVersionRow:
        """Raises RegistryError where there is no such version, or none any more."""
        return known(self.rows, name)

    def write(
        self, action: str, version: str, by: str, *, serving: str | None, before: int | None
    ) -> ModelChangeRow:
        """What serves from now on, without a canary; what a rollback returns to lies ``before``."""
        row = ModelChangeRow(
            action=action,
            version=version,
            serving=serving,
            canary=None,
            share=0.0,
            channels=[],
            before=before,
            by=by,
            at=datetime.now(UTC),
        )
        self.session.add(row)
        return row

    def before(self) -> ModelChangeRow | None:
        """The latest change after which another version served that still exists."""
        at = self.newest.before
        while at is not None:
            row = self.session.get_one(ModelChangeRow, at)
            if row.serving in self.rows and row.serving != self.newest.serving:
                return row
            at = row.before
        return None


@contextmanager
def changing(database: Database) -> Iterator[Changing]:
    """Holds the rows of all versions, so that two changes follow one another."""
    with database.session() as session:
        rows = session.scalars(
            select(ModelVersionRow).order_by(ModelVersionRow.name).with_for_update()
        )
        yield Changing(session, {row.name: row for row in rows}, newest(session))


def newest(session: Session) -> ModelChangeRow:
    """The change that holds now; an empty one before the first."""
    row = session.scalar(select(ModelChangeRow).order_by(ModelChangeRow.id.desc()).limit(1))
    return row or ModelChangeRow(id=None, serving=None, canary=None, before=None)


def history(session: Session) -> list[Change]:
    """All changes, the newest first."""
    rows = session.scalars(select(ModelChangeRow).order_by(ModelChangeRow.id.desc()))
    return [
        Change(
            number=row.id,
            action=row.action,
            version=row.version,
            serving=row.serving or "",
            canary=row.canary or "",
            share=row.share,
            channels=tuple(row.channels),
            by=row.by,
            at=row.at,
        )
        for row in rows
    ]


def known(versions: Mapping[str, _Version], name: str) -> _Version:
    """The one of that name. Raises RegistryError where there is none."""
    if name not in versions:
        there = ", ".join(sorted(versions)) or "none yet; `lorebot model add FILE` registers one"
        raise RegistryError(f"There is no model version {name}. There are: {there}.")
    return versions[name]
