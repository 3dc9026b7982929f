"""Runs child processes: with a time limit, their output kept, ended when the parent ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAST_LINES = 6


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: ``output`` is what it printed on both channels, in order."""

    succeeded: bool
    output: str
    timed_out: bool = False

    @property
    def last_lines(self) -> str:
        """For the end of an error's sentence."""
        if self.timed_out:
            return "it took too long and was stopped"
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return " | ".join(lines[-_LAST_LINES:]) or "it printed nothing"


def run_module(module: str, arguments: Sequence[str], *, seconds: float) -> Finished:
    """Run one of our own modules, which begins with ``die_with_parent``.

    It finds the packages that this process finds, and inherits nothing else: neither secrets in
    the environment nor a home folder. Nothing it loads asks a model hub.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "HOME": home,
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": _import_path(),
            "PYTHONWARNINGS": "ignore",
        }
        command = [sys.executable, "-P", "-B", "-m", module, *arguments]
        return run(command, seconds=seconds, environment=environment)


def run(
    command: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run ``command`` to its end, or kill it and its children after ``seconds``."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - a list, made by our own modules
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        timed_out = False
        with process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                timed_out = True
                os.killpg(process.pid, signal.SIGKILL)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        output.seek(0)
        text = output.read().decode("utf-8", errors="replace")
    return Finished(process.returncode == 0 and not timed_out, text, timed_out)


def die_with_parent() -> None:
    """Called first in a child: the parent holds the other end of stdin, also when it is killed.

    A child that went on would write to the same file as its successor.
    """

    def wait_for_the_end() -> None:
        while os.read(0, 1024):  # unbuffered: nothing is locked when the interpreter ends first
            pass
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def _import_path() -> str:
    own = str(Path(__file__).parents[2])
    return os.pathsep.join(dict.fromkeys([own, *(path for path in sys.path if path)]))
