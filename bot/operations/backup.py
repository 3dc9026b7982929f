"""``lorebot backup``: writes all that cannot be rebuilt to one file, also while the bot runs.

The jobs are copied before the records, so that they never tell of more than the records hold: a
job that the copy calls finished has its answer there, and one that it does not know is begun anew
by the question that waits in the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bot.domain.errors import BackupError
from bot.domain.settings import Settings
from bot.operations.archive import (
    JOBS,
    RECORDS,
    RECORDS_DUMP,
    Manifest,
    ModelFile,
    writing,
    written_or_explained,
)
from bot.operations.in_use import in_use
from bot.operations.staging import staging_in
from bot.records.engine import engine_at
from bot.records.inspection import copy_sqlite, kept_models, schema_revision
from bot.records.postgres_dump import dump
from bot.records.restore_mark import check_finished
from bot.records.suppression_list import forgotten_in

_SMALL = ("adapters/**/manifest.json", "adapters/decisions.jsonl", "models/*.lineage.json")
"""What training decided and made of what; its data sets are built anew from the records."""
_UNFINISHED = (".part", ".unfinished", ".lock")


def back_up(settings: Settings, target: Path, *, models: bool = False) -> tuple[Path, Manifest]:
    """Write an archive to ``target``: a file that is not there yet and ends in .zip, or else a
    folder, which is made where there is none. ``models`` takes along the files of data_dir/models.

    What was kept, and where. Raises BackupError and RecordsError; then there is no archive.
    """
    folder = settings.data_dir.resolve()
    if not settings.has_records:
        raise BackupError(f"There is nothing to back up: no bot has kept records in {folder} yet.")
    now = datetime.now(UTC)
    with written_or_explained(target):  # also a folder that this user may not look into
        if target.suffix != ".zip" and not target.exists():
            target.mkdir(mode=0o700)
        if target.is_dir():
            target = target / f"lorebot-{now:%Y%m%dT%H%M%SZ}.zip"
    with (
        in_use(folder),
        written_or_explained(target),
        staging_in(target.resolve().parent) as staging,
        writing(target, staging) as archive,
    ):
        records = _copy_databases(settings, staging)
        for name in (JOBS, RECORDS_DUMP, RECORDS):
            if (staging / name).exists():
                archive.add(name, staging / name)
        for path in _files(folder, models):
            archive.add(path.relative_to(folder).as_posix(), path)
        manifest = Manifest(
            lorebot=version("lorebot"),
            made_at=now,
            revision=schema_revision(records),
            parts=tuple(archive.parts),
            models=tuple(
                ModelFile(name=one.name, path=one.path, sha256=one.sha256, bytes=one.bytes)
                for one in kept_models(records)
            ),
            forgotten=forgotten_in(records),
        )
        archive.finish(manifest)
    return target, manifest


def is_on_server(settings: Settings) -> bool:
    """Whether the records are on Postgres. Raises BackupError for a file at an odd place."""
    url = settings.records.url.get_secret_value()
    if url and not url.startswith("postgresql"):
        raise BackupError(
            "[records] url names a file: leave it empty, so that the records lie in data_dir, or "
            "back that file up by hand."
        )
    return bool(url)


def _copy_databases(settings: Settings, staging: Path) -> str:
    """The address of what was copied, or of the server that it was copied from."""
    with engine_at(settings.records_url) as engine:
        check_finished(engine)
    if is_on_server(settings):
        dump(settings.records_url, staging / RECORDS_DUMP)
        return settings.records_url
    folder = settings.data_dir.resolve()
    if (folder / JOBS).exists():
        copy_sqlite(folder / JOBS, staging / JOBS)
    copy_sqlite(folder / RECORDS, staging / RECORDS)
    return f"sqlite:///{staging / RECORDS}"


def _files(folder: Path, models: bool) -> Iterator[Path]:
    patterns = (*_SMALL, "models/*") if models else _SMALL
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    for path in sorted(found):
        if path.is_file() and not path.is_symlink() and path.suffix not in _UNFINISHED:
            yield path
