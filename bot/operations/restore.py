"""``lorebot restore``: everything of a backup is checked before anything is touched.

Restored records know nothing of what came after them. So every question that was unfinished then
first looks for its answer in its thread; and who was forgotten since, is forgotten again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from bot.errors import BackupError, RecordsError
from bot.operations.archive import (
    JOBS,
    RECORDS,
    RECORDS_DUMP,
    Archive,
    Manifest,
    Part,
    free_space_for,
    opened,
    sha256_of,
    written_or_explained,
)
from bot.operations.backup import is_on_server
from bot.operations.in_use import alone
from bot.records import postgres_dump
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.forgotten import Forgotten, forgotten_in
from bot.records.snapshot import check_sqlite, known_revisions, look_for_earlier_replies
from bot.settings import Settings

_JOURNALS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Restored:
    """``unfinished`` questions are answered by the next start; ``replaced`` is where what was
    there lies now; ``missing_models`` are versions whose file is not on this machine.
    """

    manifest: Manifest
    unfinished: int
    forgotten_again: int
    replaced: Path | None
    missing_models: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def restore(
    settings: Settings, file: Path, *, force: bool = False, forgotten: Path | None = None
) -> Restored:
    """Put a backup in place of what is there, which with ``force`` may be something.

    ``forgotten`` is a newer backup, of which only the list of who was forgotten is taken. Raises
    BackupError and RecordsError; then nothing has changed unless the sentence says so.
    """
    folder = settings.data_dir.resolve()
    with opened(file) as archive, alone(folder):
        _check(settings, archive.manifest, force)
        known, warnings = _list_in_place(settings)
        known += _list_of(forgotten) if forgotten else ()
        with _staging(folder) as staging:
            wanted = _extracted(archive, folder, staging)
            replaced = folder / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            place = _on_server if is_on_server(settings) else _in_files
            unfinished, again = place(settings, staging, replaced, wanted, known)
    return Restored(
        manifest=archive.manifest,
        unfinished=unfinished,
        forgotten_again=again,
        replaced=replaced if replaced.exists() else None,
        missing_models=tuple(_missing_models(settings, archive.manifest)),
        warnings=warnings,
    )


def _check(settings: Settings, manifest: Manifest, force: bool) -> None:
    on_server, dump = is_on_server(settings), manifest.part(RECORDS_DUMP)
    if not (dump or manifest.part(RECORDS)):
        raise BackupError("The backup holds no records: take another.")
    if on_server != bool(dump):
        kept, wanted = ("Postgres", "SQLite") if dump else ("SQLite", "Postgres")
        raise BackupError(
            f"The backup is of records on {kept}, and [records] url says {wanted}: restore it "
            "where the records are kept as they were."
        )
    if manifest.revision not in known_revisions():
        raise BackupError(
            f"The backup was made by Lorebot {manifest.lorebot}, which is newer than this one: "
            "upgrade first."
        )
    if on_server:
        postgres_dump.check_alone(settings.records_url)
        exists = postgres_dump.has_records(settings.records_url)
    else:
        exists = (settings.data_dir / RECORDS).exists()
    if exists and not force:
        raise BackupError(
            "There are records already. With --force they are kept beside, and the backup takes "
            "their place; nothing was changed."
        )


def _list_in_place(settings: Settings) -> tuple[tuple[Forgotten, ...], tuple[str, ...]]:
    """The list of the records that are to be replaced, or a warning where it cannot be read."""
    if not settings.has_records:
        return (), ()
    try:
        return forgotten_in(settings.records_url), ()
    except RecordsError:
        return (), (
            "The records that were there cannot be read, so who was forgotten since the backup "
            "is not known: name a newer backup with --forgotten, or forget them again.",
        )


def _list_of(newer: Path) -> tuple[Forgotten, ...]:
    with opened(newer) as archive:
        return archive.manifest.forgotten


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    with written_or_explained(folder):
        for left_behind in folder.glob(".restoring-*"):
            shutil.rmtree(left_behind)
        staging = Path(mkdtemp(prefix=".restoring-", dir=folder))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _extracted(archive: Archive, folder: Path, staging: Path) -> list[Part]:
    """The parts that are to be put in place, checked; a model's file that is there stays."""
    wanted = [part for part in archive.manifest.parts if not _is_there(part, folder)]
    free_space_for(folder, sum(part.bytes for part in wanted))
    for part in wanted:
        archive.extract(part, staging / part.name)
        if part.name in (RECORDS, JOBS):
            check_sqlite(staging / part.name)
    return wanted


def _is_there(part: Part, folder: Path) -> bool:
    path = folder / part.name
    return (
        part.name.startswith("models/")
        and path.is_file()
        and path.stat().st_size == part.bytes
        and sha256_of(path) == part.sha256
    )


def _in_files(
    settings: Settings,
    staging: Path,
    replaced: Path,
    wanted: Iterable[Part],
    known: Iterable[Forgotten],
) -> tuple[int, int]:
    """Records first, jobs last: cut short in between, every question still has its place."""
    counted = _made_ready(f"sqlite:///{staging / RECORDS}", known)
    names = [part.name for part in wanted if part.name not in (RECORDS, JOBS)]
    with _explained(replaced):
        for name in (JOBS, RECORDS):
            for each in (name, *(name + journal for journal in _JOURNALS)):
                _move(staging.parent / each, replaced / each)
        _put(staging, replaced, [RECORDS, *names, JOBS])
    return counted


def _on_server(
    settings: Settings,
    staging: Path,
    replaced: Path,
    wanted: Iterable[Part],
    known: Iterable[Forgotten],
) -> tuple[int, int]:
    url, before = settings.records_url, replaced / RECORDS_DUMP
    if postgres_dump.has_records(url):
        replaced.mkdir(mode=0o700)
        postgres_dump.dump(url, before)
        before.chmod(0o600)
    try:
        postgres_dump.restore(url, staging / RECORDS_DUMP)
        counted = _made_ready(url, known)
    except RecordsError as error:
        if not before.exists():
            raise
        postgres_dump.restore(url, before)
        raise BackupError(f"{error} What was there is back in its place.") from error
    with _explained(replaced):
        _put(staging, replaced, [one.name for one in wanted if one.name != RECORDS_DUMP])
    return counted


def _made_ready(url: str, known: Iterable[Forgotten]) -> tuple[int, int]:
    with closing(Database(url)) as database:
        again = Forgetting(database).again(known)
        return look_for_earlier_replies(database), again


def _put(staging: Path, replaced: Path, names: Iterable[str]) -> None:
    folder = staging.parent
    for name in names:
        if (staging / name).exists():
            _move(folder / name, replaced / name)
            _move(staging / name, folder / name)


def _move(path: Path, to: Path) -> None:
    if path.exists():
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.rename(to)


@contextmanager
def _explained(replaced: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"The backup could not be put in place ({error.strerror}): what was there is in "
            f"{replaced}. Mend it, and restore again with --force."
        ) from error


def _missing_models(settings: Settings, manifest: Manifest) -> Iterator[str]:
    for model in manifest.models:
        path = settings.models_dir / model.path
        if not path.is_file() or path.stat().st_size != model.bytes:
            yield model.name
