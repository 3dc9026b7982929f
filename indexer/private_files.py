"""Keeps what Lorebot writes to its own user: folders are 0700, files 0600, whatever the umask.

Our command lines set the umask, which also covers what libraries and child processes write. Used as
a library we leave that to the host process, and give folders and files their modes one by one.
SQLite gives a database's ``-wal`` and ``-shm`` the mode of the database.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_new_files_private() -> None:
    """From now on, in this process and its children. For the main function of a program only."""
    os.umask(_OTHERS)


def make_private_folder(path: Path) -> None:
    """With its parents, where they are missing. One that is there keeps its mode: it may be shared,
    as the folder that a backup is written to; what is Lorebot's alone is closed by ``tighten``.
    Raises OSError.
    """
    path = path.resolve()
    for folder in (*reversed(path.parents), path):
        folder.mkdir(mode=0o700, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Before a library opens it. One that is there keeps its content, and is closed to others,
    where it is ours. Raises OSError.
    """
    os.close(open_private(path, os.O_WRONLY | os.O_CREAT))
    _close(path)


def open_private(path: str | Path, flags: int) -> int:
    """What ``open`` takes as its ``opener``: a file that it makes is its owner's alone."""
    return os.open(path, flags, 0o600)


def tighten(folder: Path) -> None:
    """Close the folder, and all that lies in it, to everybody but its owner; what is another
    user's stays as it is, and no link is followed. What vanishes meanwhile is passed over.
    """
    folder = folder.resolve()
    _close(folder)
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _close(Path(where) / name)


def _close(path: Path) -> None:
    with suppress(OSError):  # another user's, or gone
        known = path.lstat()
        mode, ours = known.st_mode, known.st_uid == os.geteuid()
        shared = mode & stat.S_ISVTX  # as /tmp is: meant for all
        if mode & _OTHERS and ours and not shared and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
