"""llama-cpp-python's own OpenAI-compatible server, in a process of its own on a free port."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STARTED = re.compile(r"Uvicorn running on (http://127\.0\.0\.1:\d+)")
_LONGEST_START = 60.0  # seconds
_SETTINGS = {
    "host": "127.0.0.1",
    "port": 0,
    "logits_all": True,  # or there are no logprobs
    "interrupt_requests": False,  # or a second question cuts the first one's answer
    "n_threads": 1,
    "n_batch": 512,
    "verbose": False,
}


@contextmanager
def llama_cpp_server(model: Path, *, context_tokens: int = 1024) -> Iterator[str]:
    """Its address, without ``/v1``, while it runs."""
    given = _SETTINGS | {"model": model, "model_alias": model.name, "n_ctx": context_tokens}
    arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "llama_cpp.server", *arguments]
    with (
        tempfile.NamedTemporaryFile() as output,
        # no environment: HOST, PORT and CONFIG_FILE would win over the arguments
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={}) as process,
    ):
        try:
            yield _address(process, Path(output.name))
        finally:
            process.terminate()
            process.wait()


def _address(process: subprocess.Popen[bytes], output: Path) -> str:
    give_up = time.monotonic() + _LONGEST_START
    while process.poll() is None and time.monotonic() < give_up:
        if started := _STARTED.search(output.read_text()):
            return started[1]
        time.sleep(0.05)
    raise RuntimeError(f"The server did not start:\n{output.read_text()}")
