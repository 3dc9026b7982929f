"""Locks between processes: flock(2) on a file, which the operating system lets go with its holder.

Only processes that ask for the lock are held off. A lock survives neither the end of its process,
killed or not, nor that of the machine; its file stays.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

from indexer.private_files import open_private

_ASK_AGAIN_SECONDS = 0.05


def lock_file(path: Path, *, shared: bool = False, wait_seconds: float = 0.0) -> IO[str]:
    """The file at ``path``, made where it is missing; the lock is held until it is closed.

    A ``shared`` lock has others of its kind beside it, any other is held alone. Raises
    BlockingIOError where another holder has not let go after ``wait_seconds``, another OSError
    where the file cannot be opened or its file system has no locks.
    """
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + wait_seconds
    file = open(path, "a", opener=open_private)  # noqa: SIM115 - the caller closes it
    try:
        while True:
            try:
                fcntl.flock(file, how)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_ASK_AGAIN_SECONDS)
            else:
                return file
    except BaseException:
        file.close()
        raise
