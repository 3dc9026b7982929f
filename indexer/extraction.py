"""Extract Markdown from files in a child process with limits: a hostile file fails alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGXCPU
from typing import Any, Self

from indexer.chunking.markdown import unix_lines
from indexer.errors import DocumentError, SourceError
from indexer.formats.extracted import Extracted
from indexer.formats.worker import EXHAUSTED
from indexer.settings import ExtractionTable

KINDS: Mapping[str, str] = {
    ".csv": "separated",
    ".docx": "word",
    ".epub": "book",
    ".htm": "web",
    ".html": "web",
    ".ipynb": "notebook",
    ".markdown": "plain",
    ".md": "plain",
    ".pdf": "pdf",
    ".pptx": "slides",
    ".rst": "restructured",
    ".txt": "plain",
    ".xlsx": "workbook",
}
"""The module of ``indexer.formats`` that reads files with this suffix."""

VERSION = "1"
"""Increment it when the same file is to yield other Markdown: everything is extracted again."""

_START_SECONDS = 60.0


class Extractor:
    """A context manager; its child process starts with the first file and is replaced if it dies.

    The child inherits no environment, writes no files and is limited as ``[extraction]`` says.
    """

    def __init__(self, limits: ExtractionTable) -> None:
        self._limits = limits
        self._worker: _Worker | None = None

    def extract(self, content: bytes, suffix: str) -> Extracted:
        """A file's content as Markdown with ``\\n`` line ends, in Unicode's NFC.

        ``suffix`` is a key of ``KINDS``. Raises DocumentError with a sentence that begins with
        "it", and SourceError when the child process cannot be started at all.
        """
        request = (KINDS[suffix.lower()], content)
        answer = None
        if self._worker is not None:
            # An earlier file may have used up what this one needs: only a new process may judge.
            with suppress(_Died):
                answer = self._worker.ask(*request)
        if answer is None:
            answer = self._ask_a_new_worker(*request)
        if "refusal" in answer:
            raise DocumentError(answer["refusal"])
        title, text = (_clean(answer[part]) for part in ("title", "text"))
        return Extracted(" ".join(title.split()), text.strip("\n"))

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _ask_a_new_worker(self, module: str, content: bytes) -> dict[str, str]:
        self.close()
        self._worker = _Worker(self._limits)
        try:
            return self._worker.ask(module, content)
        except _Died as death:
            self.close()
            raise DocumentError(str(death)) from death


class _Died(Exception):
    """The child process ended; the message says why, for the report of a sync."""


class _Worker:
    """One child process; see ``indexer.formats.worker`` for the protocol."""

    def __init__(self, limits: ExtractionTable) -> None:
        self._limits = limits
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-P", "-B", "-m", "indexer.formats.worker"),
                str(limits.seconds),
                str(limits.memory_megabytes * 2**20),
                str(limits.text_megabytes * 2**20),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": _import_path()},
            start_new_session=True,
        )
        try:
            self._exchange(b"", _START_SECONDS)
        except _Died as death:
            self.close()
            raise SourceError(
                "The process that reads files cannot be started; install Lorebot again, "
                "or raise [extraction] memory_megabytes."
            ) from death

    def ask(self, module: str, content: bytes) -> dict[str, str]:
        """Raises _Died."""
        head = json.dumps({"module": module, "size": len(content)}).encode()
        answer: dict[str, str] = self._exchange(head + b"\n" + content, self._limits.seconds)
        return answer

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()

    def _exchange(self, message: bytes, seconds: float) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - both are pipes
        assert stdout is not None  # noqa: S101
        late = threading.Event()
        timer = threading.Timer(seconds, self._give_up, [late])
        timer.start()
        try:
            with suppress(BrokenPipeError):
                stdin.write(message)
                stdin.flush()
            line = stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            raise _Died(self._cause_of_death(late.is_set()))
        return json.loads(line)

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def _cause_of_death(self, late: bool) -> str:
        code = self._process.wait()
        if late or code == -SIGXCPU:
            return (
                f"reading it takes longer than {self._limits.seconds:g} seconds; split or simplify "
                "it (or raise [extraction] seconds)."
            )
        if code == EXHAUSTED:
            return (
                f"reading it takes more than {self._limits.memory_megabytes} MB of memory; split "
                "it (or raise [extraction] memory_megabytes)."
            )
        return (
            f"it made its reader stop (exit code {code}); save it anew in the program that made "
            "it, or in another format."
        )


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", unix_lines(text)).replace("\0", "")


def _import_path() -> str:
    """Modules are found where this process finds them, except in the working directory."""
    own = str(Path(__file__).parent.parent)
    return os.pathsep.join(dict.fromkeys([own, *(path for path in sys.path if path)]))
