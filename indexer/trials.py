"""Tries in a child process whether llama.cpp can compute with a model file on this machine.

A native library that dies takes its process with it. llama.cpp does when it was compiled for
another processor, or wrongly: GCC 11 and 12 drop most of the tile configuration that AMX needs
(GCC bug 114098), so that every quantized model ends the process at its first batch. What cannot
be seen here: a library that computes wrong numbers, or dies only later.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Options = Mapping[str, object]
"""What JSON can hold."""

_PYTHON = (sys.executable, "-P", "-B", "-m")
_CPUINFO = Path("/proc/cpuinfo")
_SECONDS = 120.0
_BYTES_PER_SECOND = 20e6  # a file is read at least so fast, from the slowest disk in use
_BEGUN, _LIVED, _RAISED = "trial begun", "trial lived", "trial raised"
_OUT_OF_MEMORY = signal.SIGKILL.name
_LATE = "no end within"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a file can be loaded: ``deaths`` says how each child ended that died.

    The first loaded it the usual way, the second without rearranging its weights.
    """

    file: Path
    deaths: tuple[str, ...] = ()
    memory: Path | None = None
    """Where this is remembered, if it is."""

    @property
    def repack(self) -> bool:
        """Whether llama.cpp may rearrange weights for the processor (``use_extra_bufts``)."""
        return not self.deaths

    @property
    def is_usable(self) -> bool:
        return len(self.deaths) < 2

    @property
    def note(self) -> str:
        """What people are told of a file that is not loaded the usual way; "" of all others."""
        if self.repack:
            return ""
        if not self.is_usable:
            return self._refusal
        return (
            f"{self.file.name} is loaded a safer way, which can be slower: with its weights "
            "rearranged for this processor, llama.cpp dies at the first batch "
            f"({self.deaths[0]}). To mend that, compile llama.cpp anew (`make llama`)."
        )

    @property
    def _refusal(self) -> str:
        usual, safer = self.deaths
        again = f" {self.memory} remembers this: delete it to try again." if self.memory else ""
        return (
            f"{self.file.name} cannot be used on this machine: llama.cpp dies at the first batch "
            f"({usual}; loaded the safer way: {safer}). Compile llama.cpp anew on this machine "
            f"(`make llama`, or build the image again), or choose another model.{again}"
        )


class Trials:
    """Tries files and remembers what came of it, in ``<cache_dir>/trials``.

    What is remembered holds for the same processor, the same build of llama.cpp, the same file
    and the same options; anything else is tried anew. Safe from several threads and processes.
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        command: Sequence[str] = _PYTHON,
        cpuinfo: Path = _CPUINFO,
        library: Path | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        """``command`` starts the child, given a module and its request.

        A child that has not ended after ``seconds``, and more for a large file, is killed.
        """
        self._folder = cache_dir / "trials"
        self._command = command
        self._cpuinfo = cpuinfo
        self._library = library or _installed_library()
        self._seconds = seconds

    def may_repack(
        self,
        module: str,
        file: Path,
        options: Options,
        error: type[Exception],
        *,
        others: Sequence[Path] = (),
    ) -> bool:
        """How to load ``file`` in this process now, see ``verdict``; logs what is unusual.

        Raises ``error`` with a sentence where it cannot be loaded without dying.
        """
        verdict = self.verdict(module, file, options, others=others)
        if not verdict.is_usable:
            raise error(verdict.note)
        if verdict.note:
            _logger.warning("%s", verdict.note)
        return verdict.repack

    def verdict(
        self,
        module: str,
        file: Path,
        options: Options,
        *,
        others: Sequence[Path] = (),
        again: bool = False,
    ) -> Verdict:
        """How ``file`` can be loaded, as ``module`` tries it with ``options`` in a child.

        ``others`` are files that ``options`` name. A file that llama.cpp refuses without dying
        gets no death: what loads it meets the error again. With ``again`` nothing that is
        remembered counts. Never raises for what the child does.
        """
        file = file.resolve()
        key = {
            "processor": _processor(self._cpuinfo),
            "llama.cpp": _stamp(*sorted(self._library.glob("*"))),
            "file": _stamp(file, *others),
            "tried": f"{module} {json.dumps(dict(options), sort_keys=True)}",
        }
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        memory = self._folder / f"{digest[:16]}.json"
        if not again and (deaths := _recalled(memory, key)) is not None:
            return Verdict(file, deaths, memory)
        deaths = ()
        for repack in (True, False):
            end = self._end(module, file, options, repack=repack)
            if end == _RAISED:
                return Verdict(file, deaths)
            if end == _LIVED:
                break
            deaths = (*deaths, end)
        if _OUT_OF_MEMORY in deaths or any(map(_is_late, deaths)):
            return Verdict(file, deaths)  # what else runs decides that, not this machine
        return Verdict(file, deaths, _remember(memory, key, deaths))

    def _end(self, module: str, file: Path, options: Options, *, repack: bool) -> str:
        """_LIVED, _RAISED, or in words what the child died of."""
        seconds = self._seconds + (file.stat().st_size if file.exists() else 0) / _BYTES_PER_SECOND
        request = {"file": str(file), "repack": repack, "options": dict(options)}
        command = [*self._command, module, json.dumps(request | {"seconds": round(seconds)})]
        code: int | None
        try:
            # The environment is inherited, since it too decides what the library does.
            done = subprocess.run(  # noqa: S603 - our own modules
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                start_new_session=True,
            )
            output, errors, code = done.stdout, done.stderr, done.returncode
        except subprocess.TimeoutExpired as late:
            output, errors, code = late.stdout or b"", late.stderr or b"", None
        except OSError as error:  # no memory, or no process, for another one
            output, errors, code = b"", str(error).encode(), None
        lines = output.decode(errors="replace").splitlines()
        _logger.debug("The child that tried %s said: %s", file, errors.decode(errors="replace"))
        for end in (_LIVED, _RAISED):
            if end in lines:
                return end
        if _BEGUN not in lines:
            _logger.warning(
                "%s could not be tried in a process of its own, so it is loaded untried: the "
                "process did not start (%s).",
                file.name,
                errors.decode(errors="replace").strip().rpartition("\n")[2] or f"code {code}",
            )
            return _RAISED
        return _death(code, seconds)


def carry_out(attempt: Callable[..., object]) -> None:
    """The child's part: ``attempt(file, repack=…, **options)``, as the parent asked.

    An exception is no death: whoever loads the file next meets it again, and can say it.
    """
    request: dict[str, Any] = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory runs out, the kernel shall not take the bot
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    signal.alarm(request["seconds"] + 1)  # should the parent die, the child does not stay
    os.putenv("OMP_WAIT_POLICY", "passive")  # threads that spin take seconds beside other work
    print(_BEGUN, flush=True)
    try:
        attempt(Path(request["file"]), repack=request["repack"], **request["options"])
    except Exception as error:  # noqa: BLE001
        print(error, file=sys.stderr)
        print(_RAISED, flush=True)
    else:
        print(_LIVED, flush=True)


def _is_late(death: str) -> bool:
    return death.startswith(_LATE) or death == signal.SIGALRM.name


def _death(code: int | None, seconds: float) -> str:
    if code is None:
        return f"{_LATE} {seconds:.0f} seconds"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


def _recalled(memory: Path, key: Mapping[str, str]) -> tuple[str, ...] | None:
    """None where there is nothing that can be read and is of this key."""
    try:
        match json.loads(memory.read_text(encoding="utf-8")):
            case {"key": known, "deaths": list(deaths)} if known == key and len(deaths) <= 2:
                return tuple(map(str, deaths))
    except (OSError, ValueError):
        pass
    return None


def _remember(memory: Path, key: Mapping[str, str], deaths: Sequence[str]) -> Path | None:
    """Where it is remembered now; None where nothing can be written."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=memory.parent, suffix=".part", delete=False
        ) as part:
            json.dump({"key": key, "deaths": list(deaths)}, part, indent=2)
        Path(part.name).replace(memory)
    except OSError as error:
        _logger.info("What came of a trial is not remembered: %s", error)
        return None
    return memory


def _processor(cpuinfo: Path) -> str:
    """Its name and a digest of what it can do; of Linux' first processor, where it says so."""
    try:
        first = cpuinfo.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    facts = dict(re.findall(r"^(model name|flags|Features)\s*: (.*)$", first, re.MULTILINE))
    can = facts.get("flags") or facts.get("Features") or first
    digest = hashlib.sha256(can.encode()).hexdigest()
    return f"{facts.get('model name', platform.machine())} {digest[:12]}"


def _installed_library() -> Path:
    """The folder of llama.cpp's shared libraries; the package is not imported."""
    spec = importlib.util.find_spec("llama_cpp")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "lib" if places else Path("nowhere")


def _stamp(*files: Path) -> str:
    """Changes with any of the files that are there, without reading gigabytes at each start."""
    told = [
        f"{file.name} {status.st_size} {status.st_mtime_ns}"
        for file in files
        if file.is_file() and (status := file.stat())
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
