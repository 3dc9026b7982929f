"""Keeps the model registry: versions of models, the one that serves, canaries, and rollback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.domain.errors import RegistryError
from bot.models.gguf_file import file_sha256, usable_header
from bot.models.versions import Canary, Change, ModelVersion, Serving, checked_name
from bot.records.database import Database
from bot.records.tables import ModelChangeRow, ModelVersionRow

_Version = TypeVar("_Version")


class Registry:
    """Safe from several threads, and from several processes on one database.

    Every change of what serves is one row, never rewritten, that says all that serves from then
    on; changes follow one another over all processes. bot/serving/serving_models.py follows the
    newest row; nothing here loads a model.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """``folder`` is where pulled files lie; their places are kept relative to it."""
        self._database = database
        self.folder = folder.resolve()

    def versions(self) -> list[ModelVersion]:
        """All versions, the oldest first."""
        with self._database.reading() as session:
            versions = self._versions(session)
        return sorted(versions.values(), key=lambda version: (version.added_at, version.name))

    def version(self, name: str) -> ModelVersion:
        """The version of that name. Raises RegistryError where there is none."""
        with self._database.reading() as session:
            return _known(self._versions(session), name)

    def serving(self) -> Serving:
        """What serves now, as one consistent answer."""
        with self._database.reading() as session:
            now, versions = _newest(session), self._versions(session)
        canary = versions.get(now.canary or "")
        return Serving(
            version=versions.get(now.serving or ""),
            canary=Canary(canary, now.share, tuple(now.channels)) if canary else None,
            change=now.id or 0,
        )

    def history(self) -> list[Change]:
        """Every change of what serves, by whom and when, the newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(ModelChangeRow).order_by(ModelChangeRow.id.desc()))
            return [_entry(row) for row in rows]

    def add(
        self,
        path: Path,
        *,
        name: str = "",
        base: str = "",
        source: str = "",
        evaluation: Mapping[str, float] | None = None,
        note: str = "",
    ) -> ModelVersion:
        """Register a GGUF file where it lies; ``name`` is the file's unless given.

        ``base`` names the version that an adapter belongs to. Reads the whole file. Registering
        the same file again only notes its new place. Raises RegistryError.
        """
        path = path.parent.resolve() / path.name  # a link keeps its own name
        name = checked_name(name or path.stem)
        header = usable_header(path, adapter=bool(base))
        row = ModelVersionRow(
            name=name,
            path=self._kept_path(path),
            sha256=file_sha256(path),
            size=path.stat().st_size,
            quantization=header.quantization,
            base=base or None,
            source=source,
            added_at=datetime.now(UTC),
            evaluation=dict(evaluation or {}),
            note=note,
        )
        with _changing(self._database) as change:
            there = change.rows.get(name)
            if base:
                _check_base(change.row(base))
            if there is None:
                _insert(change.session, row)
            elif (there.sha256, there.base) == (row.sha256, row.base):
                there.path = row.path
            else:
                raise taken(name)
        return self.version(name)

    def evaluate(self, name: str, evaluation: Mapping[str, float], note: str = "") -> None:
        """Keep what a version was measured at, in place of earlier measures."""
        with _changing(self._database) as change:
            row = change.row(name)
            row.evaluation = dict(evaluation)
            row.note = note or row.note

    def activate(self, name: str, by: str) -> ModelVersion:
        """Let a version answer everybody, which ends a canary. Reads its files to check them.

        Raises RegistryError where there is no such version, or a file is missing or changed.
        """
        version = self.version(name)
        version.check()
        with _changing(self._database) as change:
            change.row(name)
            now = change.newest
            before = now.before if now.serving == name else now.id
            change.write("use", name, by, serving=name, before=before)
        return version

    def canary(
        self, name: str, by: str, *, share: float = 0.0, channels: tuple[str, ...] = ()
    ) -> Canary:
        """Let a version answer all questions in ``channels`` and a ``share`` in 0..1 of the rest.

        Takes the place of an earlier canary. Raises RegistryError as ``activate`` does.
        """
        if not 0 <= share <= 1 or not (share or channels):
            raise RegistryError("A canary needs a share above 0 and up to 1, or channels.")
        version = self.version(name)
        version.check()
        with _changing(self._database) as change:
            change.row(name)
            now = change.newest
            if now.serving == name:
                raise RegistryError(f"{name} answers everybody already.")
            row = change.write("canary", name, by, serving=now.serving, before=now.before)
            row.canary, row.share, row.channels = name, share, list(channels)
        return Canary(version, share, channels)

    def end_canary(self, by: str) -> None:
        """Raises RegistryError where there is no canary."""
        with _changing(self._database) as change:
            now = change.newest
            if now.canary is None:
                raise RegistryError("There is no canary to end.")
            change.write("end canary", now.canary, by, serving=now.serving, before=now.before)

    def rollback(self, by: str) -> ModelVersion | None:
        """Undo the newest step: end the canary, or return to what served before; what serves now.

        Repeated, it goes further back, never forth again. None where nothing serves beside the
        canary that was ended. Raises RegistryError where there is nothing to return to, or its
        file is missing or changed.
        """
        now = self.serving()
        if now.canary is not None:
            self.end_canary(by)
            return now.version
        with _changing(self._database) as change:
            target = _before(change).serving or ""
        self.version(target).check()
        with _changing(self._database) as change:
            before = _before(change)
            if (change.newest.id or 0, before.serving) != (now.change, target):
                raise RegistryError(
                    "What serves was changed elsewhere at this moment: look at it with "
                    "`lorebot model list`, and try again."
                )
            undone = change.newest.serving or ""
            change.write("rollback", undone, by, serving=target, before=before.before)
        return self.version(target)

    def remove(self, name: str, by: str, *, force: bool = False) -> None:
        """Forget a version, and delete its file where that lies in the registry's folder.

        Refused with RegistryError while it serves, is the canary, or is what a rollback would
        return to, unless forced; always while an adapter needs it as its base.
        """
        with _changing(self._database) as change:
            row, now = change.row(name), change.newest
            _check_removable(change, name, force=force)
            serving = None if now.serving == name else now.serving
            written = change.write("remove", name, by, serving=serving, before=now.before)
            if now.canary not in (None, name):
                written.canary, written.share, written.channels = (
                    now.canary,
                    now.share,
                    now.channels,
                )
            change.session.delete(row)
            places = [other.path for other in change.rows.values() if other.name != name]
        path = self.folder / row.path
        if path.is_relative_to(self.folder) and row.path not in places:
            _delete(path)

    def _versions(self, session: Session) -> dict[str, ModelVersion]:
        rows = {row.name: row for row in session.scalars(select(ModelVersionRow))}
        return {name: self._version(row, rows) for name, row in rows.items()}

    def _version(self, row: ModelVersionRow, rows: Mapping[str, ModelVersionRow]) -> ModelVersion:
        return ModelVersion(
            name=row.name,
            path=self.folder / row.path,
            sha256=row.sha256,
            size=row.size,
            quantization=row.quantization,
            base=self._version(rows[row.base], rows) if row.base else None,
            source=row.source,
            added_at=row.added_at,
            evaluation=row.evaluation,
            note=row.note,
        )

    def _kept_path(self, path: Path) -> str:
        inside = path.is_relative_to(self.folder)
        return str(path.relative_to(self.folder) if inside else path)


@dataclass(frozen=True, slots=True)
class _Changing:
    """A change that is being made: what there is, and what served until now."""

    session: Session
    rows: Mapping[str, ModelVersionRow]
    newest: ModelChangeRow

    def row(self, name: str) -> ModelVersionRow:
        """Raises RegistryError where there is no such version, or none any more."""
        return _known(self.rows, name)

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
def _changing(database: Database) -> Iterator[_Changing]:
    """Holds the rows of all versions, so that two changes follow one another."""
    with database.session() as session:
        rows = session.scalars(
            select(ModelVersionRow).order_by(ModelVersionRow.name).with_for_update()
        )
        yield _Changing(session, {row.name: row for row in rows}, _newest(session))


def _newest(session: Session) -> ModelChangeRow:
    """The change that holds now; an empty one before the first."""
    row = session.scalar(select(ModelChangeRow).order_by(ModelChangeRow.id.desc()).limit(1))
    return row or ModelChangeRow(id=None, serving=None, canary=None, before=None)


def _entry(row: ModelChangeRow) -> Change:
    return Change(
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


def _known(versions: Mapping[str, _Version], name: str) -> _Version:
    """The one of that name. Raises RegistryError where there is none."""
    if name not in versions:
        there = ", ".join(sorted(versions)) or "none yet; `lorebot model add FILE` registers one"
        raise RegistryError(f"There is no model version {name}. There are: {there}.")
    return versions[name]


def taken(name: str) -> RegistryError:
    return RegistryError(
        f"There is another version named {name} already: choose another name with --name."
    )


def _check_base(base: ModelVersionRow) -> None:
    if base.base:
        raise RegistryError(
            f"{base.name} is an adapter itself: name the whole model {base.base} with --base."
        )


def _insert(session: Session, row: ModelVersionRow) -> None:
    """Another process may insert the same name meanwhile: there is no row yet to lock."""
    try:
        session.add(row)
        session.flush()
    except IntegrityError as error:
        raise taken(row.name) from error


def _before(change: _Changing) -> ModelChangeRow:
    row = change.before()
    if row is None:
        now = change.newest.serving
        raise RegistryError(
            f"Nothing served before {now or 'now'}, so there is nothing to return to: "
            "`lorebot model use NAME` lets a version serve."
        )
    return row


def _check_removable(change: _Changing, name: str, *, force: bool) -> None:
    adapters = [row.name for row in change.rows.values() if row.base == name]
    if adapters:
        raise RegistryError(
            f"{name} is the base of {', '.join(adapters)}: remove those adapters first."
        )
    before = change.before()
    roles = {
        change.newest.serving: "serves",
        change.newest.canary: "is the canary",
        before.serving if before else None: "is what a rollback would return to",
    }
    if name in roles and not force:
        raise RegistryError(f"{name} {roles[name]}: use another first, or add --force.")


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise RegistryError(
            f"The version is forgotten, but {path} could not be deleted ({error.strerror}): "
            "delete it by hand."
        ) from error
