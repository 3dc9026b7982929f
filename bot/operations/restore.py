"""``lorebot restore``: checks everything in a backup before it touches anything.

Restored records know nothing of what came after them. So every question that was unfinished then
first looks for its answer in its thread; and people and documents that were forgotten since are
forgotten again. A restore that is cut short leaves a mark that holds the list of them: no process
opens the records before it is run again, and then it still knows them.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.domain.errors import BackupError, RecordsError
from bot.domain.settings import Settings
from bot.operations.archive import (
    JOBS,
    RECORDS,
    RECORDS_DUMP,
    Archive,
    Manifest,
    Part,
    free_space_for,
    opened,
    written_or_explained,
)
from bot.operations.backup import is_on_server
from bot.operations.in_use import alone
from bot.records import postgres_dump, restore_mark
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.engine import engine_at
from bot.records.forgetting import Forgetting
from bot.records.inspection import check_sqlite, known_revisions
from bot.records.suppression_list import Forgotten, forgotten_in
from indexer.file_hash import sha256_of

_log = logging.getLogger(__name__)

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


class _Suppressed(BaseModel):
    """Who and what must not come back with the backup, as far as anything tells of it.

    ``is_whole`` is false where records that may have known of more could not be read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    forgotten: tuple[Forgotten, ...] = ()
    is_whole: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.is_whole:
            return ()
        return (
            "The records that were there cannot be read, so who was forgotten since the backup "
            "is not known: name a newer backup with --forgotten, or forget them again.",
        )


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
        known = _gathered(settings, archive, forgotten)
        with _staging(folder) as staging:
            wanted = _extracted(archive, folder, staging)
            replaced = folder / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            place = _on_server if is_on_server(settings) else _in_files
            unanswered, again = place(settings, staging, replaced, wanted, known)
    return Restored(
        manifest=archive.manifest,
        unfinished=unanswered,
        forgotten_again=again,
        replaced=replaced if replaced.exists() else None,
        missing_models=tuple(_missing_models(settings, archive.manifest)),
        warnings=known.warnings,
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


def _gathered(settings: Settings, archive: Archive, newer: Path | None) -> _Suppressed:
    """From the records in place, a restore of them that was cut short, and the archives.

    The archive tells of more than its records where a person was forgotten while it was made.
    Raises BackupError and RecordsError.
    """
    lists = [_in_place(settings), _of_cut_short(settings), _kept_in(archive)]
    if newer:
        with opened(newer) as other:
            lists.append(_kept_in(other))
    return _together(lists)


def _in_place(settings: Settings) -> _Suppressed:
    if not settings.has_records:
        return _Suppressed()
    try:
        return _Suppressed(forgotten=forgotten_in(settings.records_url))
    except RecordsError:
        return _Suppressed(is_whole=False)


def _of_cut_short(settings: Settings) -> _Suppressed:
    with engine_at(settings.records_url) as engine:
        noted = restore_mark.noted(engine)
    try:
        return _Suppressed.model_validate_json(noted) if noted else _Suppressed()
    except ValidationError:
        return _Suppressed(is_whole=False)


def _kept_in(archive: Archive) -> _Suppressed:
    return _Suppressed(forgotten=archive.manifest.forgotten)


def _together(lists: Sequence[_Suppressed]) -> _Suppressed:
    """Of two of the same the later counts when they are forgotten again."""
    return _Suppressed(
        forgotten=tuple({one: None for each in lists for one in each.forgotten}),
        is_whole=all(each.is_whole for each in lists),
    )


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
    settings: Settings, staging: Path, replaced: Path, wanted: Iterable[Part], known: _Suppressed
) -> tuple[int, int]:
    """Records first, jobs last: cut short in between, every question still has its place."""
    counted = _made_ready(f"sqlite:///{staging / RECORDS}", known)
    names = [part.name for part in wanted if part.name not in (RECORDS, JOBS)]
    _begin(settings.records_url, known)
    with _explained(replaced):
        for name in (JOBS, RECORDS):
            for each in (name, *(name + journal for journal in _JOURNALS)):
                _move(staging.parent / each, replaced / each)
        _put(staging, replaced, [RECORDS, *names, JOBS])
    _end(settings.records_url)
    return counted


def _on_server(
    settings: Settings, staging: Path, replaced: Path, wanted: Iterable[Part], known: _Suppressed
) -> tuple[int, int]:
    url, before = settings.records_url, replaced / RECORDS_DUMP
    if postgres_dump.has_records(url):
        replaced.mkdir(mode=0o700)
        postgres_dump.dump(url, before)
        before.chmod(0o600)
    with _put_back_if_cut_short(url, before, known):
        postgres_dump.restore(url, staging / RECORDS_DUMP)
        counted = _made_ready(url, known)
    with _explained(replaced):
        _put(staging, replaced, [one.name for one in wanted if one.name != RECORDS_DUMP])
    _end(url)
    return counted


@contextmanager
def _put_back_if_cut_short(url: str, before: Path, known: _Suppressed) -> Iterator[None]:
    """The mark goes with what it warns of, unless an earlier restore left it there."""
    was_marked = _begin(url, known)
    try:
        yield
    except BaseException as error:  # Ctrl-C and SIGTERM, too
        _put_back(url, before, error)
        if not was_marked:
            _end(url)
        said = "What was there is back in its place."
        if isinstance(error, RecordsError):
            raise BackupError(f"{error} {said}") from error
        _log.warning(said)
        raise


def _put_back(url: str, before: Path, error: BaseException) -> None:
    try:
        if before.exists():
            postgres_dump.restore(url, before)
        else:
            postgres_dump.clear(url)
    except RecordsError as failure:
        raise BackupError(
            f"{error or type(error).__name__} What was there could not be put back: {failure} It "
            f"is in {before}. Mend that, and restore again with --force."
        ) from error


def _begin(url: str, known: _Suppressed) -> bool:
    """Mark the records, so that no process opens them.

    Whether they were marked before, by a restore that has not ended.
    """
    with engine_at(url) as engine:
        was_marked = restore_mark.noted(engine) is not None
        restore_mark.begin(engine, known.model_dump_json())
    return was_marked


def _end(url: str) -> None:
    with engine_at(url) as engine:
        restore_mark.end(engine)


def _made_ready(url: str, known: _Suppressed) -> tuple[int, int]:
    with closing(Database(url, restoring=True)) as database:
        again = Forgetting(database).again(known.forgotten)
        return Answers(database).look_for_earlier_replies(), again


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
