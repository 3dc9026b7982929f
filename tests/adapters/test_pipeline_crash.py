"""kill -9 in the middle of any stage: the worker's next start goes on, and ends with the same.

Two stages are killed by default; set LOREBOT_TEST_EVERY_KILL for all that take any time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.errors import PromotionRefused
from adapters.pipeline import TrainingPipeline
from adapters.runs.display import Silent
from adapters.runs.manifest import MANIFEST, Manifest, Status, load
from adapters.settings import AdaptersSettings
from bot.jobs.durable import Jobs
from bot.jobs.training import start_training, training_progress
from tests.adapters.short_pipeline import short_line

__all__ = ["short_line"]

ROOT = Path(__file__).parents[2]
LONG = ("dataset", "train", "merge", "convert", "quantize", "verify", "evaluate")
KILLED = LONG if os.environ.get("LOREBOT_TEST_EVERY_KILL") else ("train", "quantize")
DETERMINISTIC = ("dataset", "train", "merge", "convert", "quantize")
PATIENCE = 300.0

# a worker with the settings of the test
WORKER = """
import sys, time
from pathlib import Path
from adapters.runs.display import Silent
from adapters.cli.worker import working
from tests.adapters.short_pipeline import settings_in

with working(settings_in(*map(Path, sys.argv[1:])), Silent()):
    time.sleep(3600)
"""


@contextmanager
def worker(settings: AdaptersSettings) -> Iterator[subprocess.Popen[bytes]]:
    assert settings.adapters.base is not None
    arguments = (settings.data_dir.parent, settings.adapters.base, settings.cache_dir)
    command = [sys.executable, "-c", WORKER, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_running(stage: Path) -> None:
    """Until the stage's work has begun and not ended."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        path = stage / MANIFEST
        if path.exists() and json.loads(path.read_text())["status"] == Status.RUNNING:
            return
        time.sleep(0.002)
    raise AssertionError(f"{stage} never ran")


@pytest.mark.timeout(1800)
def test_killed_line_goes_on_and_ends_with_the_same_hashes(short_line: AdaptersSettings) -> None:
    settings = short_line
    straight = TrainingPipeline(settings, "straight", Silent())
    with pytest.raises(PromotionRefused, match="held-out questions"):
        straight.run(by="ana")

    jobs = Jobs(settings.jobs_url)
    jobs.launch()
    try:
        key = start_training(jobs, "killed")
        for stage in KILLED:
            with worker(settings) as process:
                await_running(settings.adapters_dir / "killed" / stage)
                process.send_signal(signal.SIGKILL)
            assert load(settings.adapters_dir / "killed" / stage).status is Status.RUNNING
        with worker(settings):
            told = await_end(jobs, key)
    finally:
        jobs.close()

    assert "is not promoted, and nothing has changed" in told
    killed = TrainingPipeline(settings, "killed", Silent())
    for stage in DETERMINISTIC:
        assert outputs(killed.finished(stage)) == outputs(straight.finished(stage)), stage
    assert killed.finished("verify").metrics == straight.finished("verify").metrics
    asked = [line.finished("evaluate").metrics["questions"] for line in (killed, straight)]
    assert asked[0] == asked[1] > 0


def await_end(jobs: Jobs, key: str) -> str:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        told = training_progress(jobs, key)
        if "stopped" in told or "finished" in told:
            return told
        time.sleep(0.2)
    raise AssertionError(f"the worker got no further than: {training_progress(jobs, key)}")


def outputs(manifest: Manifest) -> dict[str, str]:
    """Curves are a picture; they are drawn by other runs of the same numbers."""
    return {name: output.sha256 for name, output in manifest.outputs.items() if name != "curves"}
