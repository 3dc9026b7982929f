"""Child processes end in time, tell what they said, and never outlive us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from adapters.runs.child import run


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_output_of_both_channels_is_kept_and_failure_told() -> None:
    finished = run(
        python("import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(3)"),
        seconds=30,
    )
    assert not finished.succeeded
    assert finished.last_lines == "one | two"


def test_a_program_that_takes_too_long_is_stopped_with_its_children() -> None:
    began = time.monotonic()
    finished = run(["sh", "-c", "sleep 60 & wait"], seconds=0.2)
    assert not finished.succeeded
    assert "too long" in finished.last_lines
    assert time.monotonic() - began < 30


def test_a_child_is_gone_when_its_parent_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = (
        "import os, pathlib, time; from adapters.runs.child import die_with_parent; "
        "die_with_parent(); "
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(120)"
    )
    parent = subprocess.Popen(
        python(
            "import sys; from adapters.runs.child import run; "
            f"run([sys.executable, '-c', {child!r}], seconds=120)"
        )
    )
    while not (pid_file.exists() and pid_file.read_text()):
        time.sleep(0.02)
    pid = int(pid_file.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while is_running(pid):  # else the test's own time limit ends it
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (ProcessLookupError, FileNotFoundError):
        return False
