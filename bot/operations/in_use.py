"""Locks the data folder, shared by all that serve, exclusive for a restore; keeps it private."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bot.domain.errors import BackupError
from bot.domain.settings import Settings
from bot.records.inspection import check_whole
from indexer.file_lock import lock_file
from indexer.private_files import make_private_folder, tighten

_LOCK = "in-use.lock"
_MENDS = {
    "records.sqlite": "Put a backup in its place: `lorebot restore FILE --force` keeps it beside.",
    "jobs.sqlite": "Move it away: unfinished questions are begun anew from the records.",
    "index.sqlite": "Move it away: the next start reads the documents again.",
}


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Shared by all processes that work with the data. Raises BackupError during a restore."""
    refusal = f"A backup is being restored into {folder}: try again when it is."
    with _held(folder, refusal, shared=True):
        yield


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """``in_use`` of data whose files are whole. Raises BackupError, and RecordsError."""
    folder = settings.data_dir.resolve()
    with in_use(folder):
        for file, mend in _MENDS.items():
            check_whole(folder / file, mend)
        yield


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Held by one process alone. Raises BackupError while another works with the data."""
    refusal = (
        f"A bot, a worker or a backup works with {folder}: stop it first; nothing was changed."
    )
    with _held(folder, refusal, shared=False):
        yield


def _held(folder: Path, refusal: str, *, shared: bool) -> IO[str]:
    try:
        make_private_folder(folder)
        tighten(folder)
        return lock_file(folder / _LOCK, shared=shared)
    except BlockingIOError:
        raise BackupError(refusal) from None
    except OSError as error:
        raise BackupError(
            f"{folder} cannot be used ({error.strerror}): let the user that runs Lorebot write "
            "there, or set LOREBOT_DATA_DIR."
        ) from error
