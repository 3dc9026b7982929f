"""A child that is made to die, to hang or to live: how a file is loaded then, and what is said."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import EmbedderError
from indexer.trials import Trials, Verdict

# one way to end for each way to load; each request is noted
CHILD = """
import json, os, signal, sys, time
ends, notes, module, request = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
with open(notes, "a") as file:
    print(module, request, file=file)
end = ends[0] if json.loads(request)["repack"] else ends[1]
if end == "never starts":
    sys.exit("no memory for Python")
print("trial begun", flush=True)
if end in ("lived", "raised"):
    print("trial", end)
elif end == "hangs":
    time.sleep(60)
elif isinstance(end, int):
    os._exit(end)
else:
    os.kill(os.getpid(), getattr(signal, end))
"""
CPUINFO = "processor\t: 0\nmodel name\t: Some Xeon\nflags\t\t: avx512f amx_int8\n\nprocessor\t: 1\n"
Try = Callable[..., Verdict]


class Machine:
    """Where something can be tried: its processor, its library, a model, and what is remembered."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.notes = folder / "notes"
        self.cpuinfo = folder / "cpuinfo"
        self.cpuinfo.write_text(CPUINFO)
        self.library = folder / "lib"
        self.library.mkdir()
        (self.library / "libllama.so").write_bytes(b"built once")
        self.model = folder / "model.gguf"
        self.model.write_bytes(b"GGUF")

    def trials(self, *ends: str | int, seconds: float = 30.0) -> Trials:
        command = (sys.executable, "-c", CHILD, json.dumps(ends), str(self.notes))
        return Trials(
            self.cache,
            command=command,
            cpuinfo=self.cpuinfo,
            library=self.library,
            seconds=seconds,
        )

    def verdict(self, *ends: str | int, seconds: float = 30.0, **options: object) -> Verdict:
        return self.trials(*ends, seconds=seconds).verdict("some.module", self.model, options)

    @property
    def children(self) -> int:
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0

    @property
    def memories(self) -> list[Path]:
        return list((self.cache / "trials").glob("*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_model_that_lives_is_loaded_as_usual_and_nothing_is_said(machine: Machine) -> None:
    verdict = machine.verdict("lived", "lived", slots=2)
    assert (verdict.repack, verdict.is_usable, verdict.note) == (True, True, "")
    module, _, request = machine.notes.read_text().partition(" ")
    assert module == "some.module"
    told = json.loads(request)
    assert (told["file"], told["repack"], told["options"]) == (
        str(machine.model),
        True,
        {"slots": 2},
    )


def test_after_one_death_the_safer_way_is_taken_and_said(machine: Machine) -> None:
    verdict = machine.verdict("SIGSEGV", "lived")
    assert (verdict.repack, verdict.is_usable) == (False, True)
    assert "model.gguf is loaded a safer way" in verdict.note
    assert "SIGSEGV" in verdict.note
    assert machine.children == 2


def test_after_two_deaths_the_model_is_refused_with_what_to_do(machine: Machine) -> None:
    verdict = machine.verdict("SIGSEGV", "SIGILL")
    assert not verdict.is_usable
    assert "model.gguf cannot be used on this machine" in verdict.note
    assert "(SIGSEGV; loaded the safer way: SIGILL)" in verdict.note
    assert "Compile llama.cpp anew" in verdict.note
    (memory,) = machine.memories
    assert str(memory) in verdict.note


def test_a_child_that_hangs_has_died(machine: Machine) -> None:
    verdict = machine.verdict("hangs", "lived", seconds=1)
    assert verdict.deaths == ("no end within 1 seconds",)
    assert verdict.is_usable


def test_a_library_that_ends_the_process_has_died(machine: Machine) -> None:
    assert machine.verdict(3, "lived").deaths == ("exit code 3",)


def test_what_is_refused_without_dying_is_left_to_the_loader_and_tried_again(
    machine: Machine,
) -> None:
    assert machine.verdict("raised", "raised").deaths == ()
    assert machine.children == 1
    machine.verdict("raised", "raised")
    assert machine.children == 2


def test_a_child_that_never_starts_says_nothing_of_the_model(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    verdict = machine.verdict("never starts", "never starts")
    assert (verdict.deaths, machine.memories) == ((), [])
    assert "loaded untried" in caplog.text
    assert "no memory for Python" in caplog.text


def test_a_child_that_cannot_be_made_says_nothing_of_the_model(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    trials = Trials(machine.cache, command=("/nowhere/python",), library=machine.library)
    assert trials.verdict("some.module", machine.model, {}).deaths == ()
    assert machine.memories == []
    assert "No such file or directory: '/nowhere/python'" in caplog.text


@pytest.mark.parametrize("ends", [("lived", "lived"), ("SIGILL", "lived"), ("SIGILL", "SIGBUS")])
def test_what_came_of_it_is_remembered(machine: Machine, ends: tuple[str, str]) -> None:
    first = machine.verdict(*ends)
    tried = machine.children
    assert machine.verdict("never starts", "never starts") == first
    assert machine.children == tried


@pytest.mark.parametrize("changed", ["processor", "library", "model", "options", "module"])
def test_another_machine_or_model_is_tried_again(machine: Machine, changed: str) -> None:
    machine.verdict("SIGILL", "lived", slots=2)
    slots, module = 2, "some.module"
    if changed == "processor":
        machine.cpuinfo.write_text(CPUINFO.replace("amx_int8", ""))
    elif changed == "library":
        (machine.library / "libllama.so").write_bytes(b"built anew")
    elif changed == "model":
        machine.model.write_bytes(b"GGUF, of a later day")
    elif changed == "options":
        slots = 3
    else:
        module = "another.module"
    verdict = machine.trials("lived", "lived").verdict(module, machine.model, {"slots": slots})
    assert verdict.repack
    assert machine.children == 3


def test_another_adapter_is_tried_again(machine: Machine, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    trials = machine.trials("lived", "lived")
    for content, children in ((b"one", 1), (b"one", 1), (b"another", 2)):
        if not adapter.exists() or adapter.read_bytes() != content:
            adapter.write_bytes(content)
        trials.verdict("some.module", machine.model, {"adapter": "a"}, others=[adapter])
        assert machine.children == children


def test_who_asks_again_has_it_tried_again(machine: Machine) -> None:
    machine.verdict("SIGILL", "SIGILL")
    trials = machine.trials("lived", "lived")
    assert not trials.verdict("some.module", machine.model, {}).is_usable
    assert trials.verdict("some.module", machine.model, {}, again=True).repack
    assert trials.verdict("some.module", machine.model, {}).repack  # and remembered


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"key": {}, "deaths": []}',
        b'{"key": "KEY", "deaths": "SIGILL"}',
        b'{"key": "KEY", "deaths": ["a", "b", "c"]}',
        b'{"key": "KEY"}',
    ],
)
def test_a_damaged_memory_is_no_memory(machine: Machine, content: bytes) -> None:
    machine.verdict("SIGILL", "SIGILL")
    (memory,) = machine.memories
    key = json.dumps(json.loads(memory.read_text())["key"]).encode()
    memory.write_bytes(content.replace(b'"KEY"', key))
    assert machine.verdict("lived", "lived").repack
    assert machine.children == 3
    assert machine.memories == [memory]


def test_a_kill_for_want_of_memory_is_not_remembered(machine: Machine) -> None:
    """What else runs decides over it, and that changes."""
    assert not machine.verdict("SIGKILL", "SIGKILL").is_usable
    assert machine.memories == []
    assert machine.verdict("lived", "lived").repack


def test_where_nothing_can_be_written_it_is_tried_each_time(machine: Machine) -> None:
    machine.cache.write_text("a file where the folder should be")
    for children in (2, 4):
        assert machine.verdict("SIGILL", "lived").is_usable
        assert machine.children == children


def test_who_loads_is_told_in_the_log_each_time_or_refused(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    trials = machine.trials("SIGILL", "lived")
    with caplog.at_level(logging.WARNING):
        for times in (1, 2):
            assert not trials.may_repack("some.module", machine.model, {}, EmbedderError)
            assert caplog.text.count("is loaded a safer way") == times
    with pytest.raises(EmbedderError, match="cannot be used on this machine"):
        machine.trials("SIGILL", "SIGILL").may_repack(
            "another.module", machine.model, {}, EmbedderError
        )


def test_a_file_that_is_not_there_is_left_to_the_loader(machine: Machine) -> None:
    machine.model.unlink()
    assert machine.verdict("raised", "raised").deaths == ()
