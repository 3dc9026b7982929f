"""A Postgres of one's own: a real server on this machine, gone when the block ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 60


def postgres_programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; None where Postgres is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    # Debian keeps them apart, a folder a version.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database. The server refuses to run as root, so it does not."""
    programs = postgres_programs()
    assert programs is not None, "Postgres is not installed"
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="lorebot-postgres-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        data, port = folder / "data", _free_port()
        options = ["--auth=trust", "--username=lorebot", "--encoding=UTF8", "--no-sync"]
        subprocess.run(
            [programs / "initdb", f"--pgdata={data}", *options],
            check=True,
            user=user,
            **quiet,  # type: ignore[call-overload]
        )
        server = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder]
        # Nobody needs these tables after the test.
        settings = ("listen_addresses=127.0.0.1", "fsync=off", "max_connections=200")
        for setting in settings:
            server += ["-c", setting]
        with subprocess.Popen(server, user=user, **quiet) as process:  # type: ignore[call-overload]
            try:
                _wait(programs, port)
                yield f"postgresql+psycopg://lorebot@127.0.0.1:{port}/postgres"
            finally:
                process.send_signal(signal.SIGINT)  # ends without waiting for its clients


def _wait(programs: Path, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    command = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(command, check=False).returncode:
        assert time.monotonic() < deadline, "Postgres did not start"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
