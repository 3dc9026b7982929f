"""The child process that extracts text: one file after the other, within limits it sets itself.

``python -m indexer.formats.worker SECONDS MEMORY_BYTES TEXT_BYTES``. A request on the standard
input is a line of JSON, ``{"module": …, "size": …}``, followed by that many bytes of a file; the
answer on the standard output is a line of JSON, ``{"title": …, "text": …}`` or ``{"refusal": …}``.
The first line is an empty answer: the worker is ready. ``indexer.cutting`` answers with chunks.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import resource
import sys
from collections.abc import Callable
from typing import Any

from indexer.errors import DocumentError
from indexer.formats.extracted import Extracted

EXHAUSTED = 70
"""The exit code when the memory is not enough."""


Request = dict[str, Any]
Read = Callable[[Request, bytes], Request]


def main() -> None:
    most_text = int(sys.argv[3])
    serve(lambda request, content: _read(request["module"], content, most_text))


def serve(read: Read) -> None:
    """Answer every request by what ``read`` makes of it, within the limits of the arguments.

    What ``read`` raises becomes a refusal, but for want of memory, which ends the process.
    """
    seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library prints must not be taken for an answer.
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer: Request = {}
    while True:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        line = requests.readline()
        if not line:
            return
        request = json.loads(line)
        content = requests.read(request["size"])
        _limit_processor_time(seconds)
        answer = _answer(read, request, content)


def _limit_processor_time(seconds: float) -> None:
    """Allow the next file ``seconds``; the system counts from the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _answer(read: Read, request: Request, content: bytes) -> Request:
    try:
        return read(request, content)
    except DocumentError as error:
        return {"refusal": str(error)}
    except RecursionError:
        return {"refusal": "it is nested too deeply; simplify it, or save it in another format."}
    except MemoryError:
        # Little can be done without memory, not even an answer.
        os._exit(EXHAUSTED)
    except Exception as error:  # noqa: BLE001 - libraries raise anything on a damaged file
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return {
            "refusal": f"it is damaged or no such file ({said}); open it in the program that "
            "made it and save it again."
        }


def _read(module: str, content: bytes, most_text: int) -> Request:
    extracted = extract(module, content)
    if len(extracted.text.encode()) > most_text:
        raise DocumentError(
            f"its text is larger than {most_text // 2**20} MiB; split it "
            "(or raise [extraction] text_megabytes)."
        )
    return {"title": extracted.title, "text": extracted.text}


def extract(module: str, content: bytes) -> Extracted:
    """By the module of ``indexer.formats``. Raises DocumentError, or anything."""
    if not content:
        raise DocumentError("it is empty; remove it, or save it again.")
    extracted: Extracted = importlib.import_module(f"indexer.formats.{module}").read(content)
    if not re.search(r"\w", extracted.text):
        raise DocumentError("it holds no text (pictures are not read); add some, or remove it.")
    # Lone surrogates cannot be stored.
    return Extracted(extracted.title, extracted.text.encode("utf-8", "replace").decode())


if __name__ == "__main__":
    main()
