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
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.converter import Converter
from adapters.display import Silent
from adapters.errors import PromotionRefused
from adapters.evaluate import EvaluateTable
from adapters.line import STAGES, Line
from adapters.manifest import MANIFEST, Manifest, Status, load
from adapters.options import MergeTable, PreferTable, TrainTable
from adapters.settings import AdaptersSettings, AdaptersTable
from bot.jobs import Jobs
from bot.records.database import Database
from bot.settings import ModelTable
from bot.training import start_training, training_progress
from indexer.settings import FilesSource, IndexTable
from tests.adapters.team import OPEN, PAGES, Team

ROOT = Path(__file__).parents[2]
LONG = tuple(stage for stage in STAGES if stage not in ("prefer", "promote"))
KILLED = LONG if os.environ.get("LOREBOT_TEST_EVERY_KILL") else ("train", "quantize")
DETERMINISTIC = ("dataset", "train", "merge", "convert", "quantize")
PATIENCE = 300.0

# a worker with the settings of the test
WORKER = """
import sys, time
from pathlib import Path
from adapters.display import Silent
from adapters.training_job import working
from tests.adapters.test_line_crash import settings_in

with working(settings_in(*map(Path, sys.argv[1:])), Silent()):
    time.sleep(3600)
"""


def settings_in(folder: Path, base: Path, cache_dir: Path) -> AdaptersSettings:
    """A line that is done in seconds; with so few questions, the gate refuses what it makes."""
    small = TrainTable(
        method="qlora", batch=4, at_once=4, epochs=1, learning_rate=3e-3, rank=4,
        least_examples=4, threads=1,
    )  # fmt: skip
    return AdaptersSettings(
        data_dir=folder / "data",
        cache_dir=cache_dir,
        sources=(FilesSource(name="handbook", path=folder / "handbook", audience=("public",)),),
        index=IndexTable(threads=1),
        model=ModelTable(threads=1, answer_tokens=16, context_tokens=1024),
        adapters=AdaptersTable(
            base=base,
            dataset=OPEN,
            train=small,
            prefer=PreferTable(method="none"),
            merge=MergeTable(precision="float32"),
            evaluate=EvaluateTable(least_questions=1),
        ),
    )


@pytest.fixture
def settings(
    tmp_path: Path, tiny_base: Path, cache_dir: Path, converter: Converter
) -> AdaptersSettings:
    """With records of a team that was content with every answer."""
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    for topic, text in PAGES.items():
        (handbook / f"{topic}.md").write_text(f"# {topic.capitalize()}\n\n{text}\n")
    settings = settings_in(tmp_path, tiny_base, cache_dir)
    settings.data_dir.mkdir()
    with closing(Database(settings.records_url)) as database:
        team = Team(database)
        for topic in PAGES:
            team.thanked(topic)
    return settings


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
def test_killed_line_goes_on_and_ends_with_the_same_hashes(settings: AdaptersSettings) -> None:
    straight = Line(settings, "straight", Silent())
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
    killed = Line(settings, "killed", Silent())
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
