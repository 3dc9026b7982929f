"""Gives a backup a staging folder beside its target, and deletes those that killed backups left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.file_lock import lock_file

_PREFIX = ".lorebot-backup-"
_OLDER_KIND = ".lorebot-*.zip.unfinished"
_LOCK = "held"
_A_DAY = 86400


@contextmanager
def staging_in(folder: Path) -> Iterator[Path]:
    """An empty folder that only its owner may read. Raises OSError.

    What a killed backup has left behind in ``folder``, which is a whole copy of the records, is
    deleted first; what another backup works with stays.
    """
    for path in (*folder.glob(f"{_PREFIX}*"), *folder.glob(_OLDER_KIND)):
        if _is_left_behind(path):
            _delete(path)
    with TemporaryDirectory(prefix=_PREFIX, dir=folder) as name, _held(Path(name)):
        inside = Path(name) / "parts"
        inside.mkdir(mode=0o700)
        yield inside


@contextmanager
def _held(staging: Path) -> Iterator[None]:
    """The file has its name only once it is locked: no other backup finds it between the two."""
    unnamed = staging / f"{_LOCK}.new"
    unnamed.touch()
    with ExitStack() as held:
        with suppress(OSError):  # some network file systems lock nothing, see below
            held.enter_context(lock_file(unnamed))
        unnamed.rename(staging / _LOCK)
        yield


def _is_left_behind(path: Path) -> bool:
    """Where nothing can be locked, nothing is. Older versions locked nothing: a day has to pass."""
    try:
        if not (path / _LOCK).exists():
            return time.time() - path.stat().st_mtime > _A_DAY
        lock_file(path / _LOCK).close()
    except OSError:
        return False
    return True


def _delete(path: Path) -> None:
    with suppress(OSError):  # another user's, or deleted by another backup at this moment
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
