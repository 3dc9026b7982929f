"""Extract Markdown from files in a child process with limits: a hostile file fails alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGXCPU
from typing import Any, Self

from indexer.chunking.markdown import unix_lines
from indexer.documents import Chunk, CutDocument, Document
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
_SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class Cutting:
    """How documents are cut: by the tokens of the ``embedder``'s file, or estimated without one."""

    embedder: Path | None = None
    max_tokens: int = 254
    most_chunks: int = 200


class Extractor:
    """A context manager; its child process starts with the first file and is replaced if it dies.

    It inherits no environment, writes no files and is limited as ``[extraction]`` says. As soon as
    ``stopped()``, asked again and again while a file is read, says so, reading is given up.
    """

    def __init__(
        self,
        limits: ExtractionTable,
        cutting: Cutting | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """With ``cutting`` it can ``cut`` documents, without it ``extract`` files."""
        self._limits = limits
        self._cutting = cutting
        self._stopped = stopped
        self._worker: _Worker | None = None

    def extract(self, content: bytes, suffix: str) -> Extracted:
        """A file's content as Markdown with ``\\n`` line ends, in Unicode's NFC.

        ``suffix`` is a key of ``KINDS``. Raises DocumentError with a sentence that begins with
        "it", and SourceError when the child process cannot be started at all.
        """
        answer = self._ask({"module": KINDS[suffix.lower()]}, content)
        title, text = (_clean(answer[part]) for part in ("title", "text"))
        return Extracted(" ".join(title.split()), text.strip("\n"))

    def cut(
        self, content: bytes, suffix: str, document: Document, most: int | None = None
    ) -> CutDocument:
        """A file's first chunks, ``most`` or as many as ``cutting`` allows; its whole text never
        comes into this process. ``document`` says whose chunks they are and has no text.

        Raises what ``extract`` raises.
        """
        assert self._cutting is not None  # noqa: S101 - of the caller's own making
        most = self._cutting.most_chunks if most is None else most
        request = {"id": document.id, "title": document.title, "most": most}
        answer = self._ask(request | {"module": KINDS[suffix.lower()]}, content)
        chunks = (
            Chunk(document.id, position, text, tuple(headers))
            for position, (headers, text) in enumerate(answer["chunks"])
        )
        return CutDocument(document, tuple(chunks), bool(answer["whole"]))

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _ask(self, request: dict[str, Any], content: bytes) -> dict[str, Any]:
        answer = None
        if self._worker is not None:
            # An earlier file may have used up what this one needs: only a new process may judge.
            with suppress(_Died):
                answer = self._worker.ask(request, content)
        if answer is None:
            answer = self._ask_a_new_worker(request, content)
        if "refusal" in answer:
            raise DocumentError(answer["refusal"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _ask_a_new_worker(self, request: dict[str, Any], content: bytes) -> dict[str, Any]:
        self.close()
        self._worker = _Worker(self._limits, self._cutting, self._stopped)
        try:
            return self._worker.ask(request, content)
        except _Died as death:
            self.close()
            raise DocumentError(str(death)) from death


class _Died(Exception):
    """The child process ended; the message says why, for the report of a sync."""


class _Worker:
    """One process; ``indexer.formats.worker`` and ``indexer.cutting`` tell what is said to it."""

    def __init__(
        self, limits: ExtractionTable, cutting: Cutting | None, stopped: Callable[[], bool]
    ) -> None:
        self._limits = limits
        self._stopped = stopped
        # An asker cannot change the settings.
        self._advice = "" if cutting else " (or raise [extraction] {})"
        module = "indexer.formats.worker"
        arguments: list[object] = [limits.text_megabytes * 2**20]
        if cutting:
            module = "indexer.cutting"
            arguments = [cutting.embedder or "", cutting.max_tokens, cutting.most_chunks]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-P", "-B", "-m", module),
                str(limits.seconds),
                str(limits.memory_megabytes * 2**20),
                *map(str, arguments),
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

    def ask(self, request: dict[str, Any], content: bytes) -> dict[str, Any]:
        """Raises _Died."""
        head = json.dumps(request | {"size": len(content)}).encode()
        answer: dict[str, Any] = self._exchange(head + b"\n" + content, self._limits.seconds)
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
        watch = threading.Thread(target=self._watch, args=(seconds,), daemon=True)
        self._late, self._answered = False, threading.Event()
        watch.start()
        try:
            with suppress(BrokenPipeError):
                stdin.write(message)
                stdin.flush()
            line = stdout.readline()
        finally:
            self._answered.set()
            watch.join()
        if not line.endswith(b"\n"):
            raise _Died(self._cause_of_death(self._late))
        return json.loads(line)

    def _watch(self, seconds: float) -> None:
        """End the process where it takes too long, or is not wanted any more."""
        deadline = time.monotonic() + seconds
        while not self._answered.wait(_SECONDS_BETWEEN_LOOKS):
            self._late = time.monotonic() >= deadline
            if self._late or self._stopped():
                self._process.kill()
                return

    def _cause_of_death(self, late: bool) -> str:
        code = self._process.wait()
        if late or code == -SIGXCPU:
            return (
                f"reading it takes longer than {self._limits.seconds:g} seconds; split or simplify "
                f"it{self._advice.format('seconds')}."
            )
        if code == EXHAUSTED:
            return (
                f"reading it takes more than {self._limits.memory_megabytes} MB of memory; split "
                f"it{self._advice.format('memory_megabytes')}."
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
