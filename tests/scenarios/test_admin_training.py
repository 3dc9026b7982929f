"""`/lorebot train`: done by a worker of its own process, and watched in one message."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.jobs.durable import Jobs
from bot.records.audit import Audit
from bot.records.database import Database
from bot.slack.admin import training
from bot.workspace import Workspace
from tests.scenarios.conftest import BOB, Message, StartBot, lorebot, shown

DM = "D0ALICE"
ROOT = Path(__file__).parents[2]

# a worker that is done at once; the line that is called "doomed" is not, and "broken" has a bug
WORKER = """
import sys, time
from bot.jobs.durable import Jobs
from bot.jobs.training import APPLICATION, JOB, QUEUE, finished, pipeline_of

def train(key):
    line = pipeline_of(key)
    for number, stage in enumerate(("dataset", "train"), start=1):
        jobs.tell(f"{line}: {stage}, stage {number} of 2")
        jobs.step(stage, lambda: time.sleep(float(sys.argv[2])))
    if line == "broken":
        raise ZeroDivisionError
    jobs.tell(finished(line) if line != "doomed" else f"{line} stopped. There are 3 examples.")

jobs = Jobs(sys.argv[1], application=APPLICATION)
jobs.register(JOB, train)
jobs.launch()
jobs.work_on(QUEUE)
time.sleep(600)
"""


@contextmanager
def worker(settings: Settings, seconds_a_stage: float = 0) -> Iterator[None]:
    command = [sys.executable, "-c", WORKER, settings.jobs_url, str(seconds_a_stage)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def told(workspace: Workspace, *words: str) -> Message:
    """The message in the admin's direct messages, once it says all these words."""

    def found() -> list[Message]:
        messages = [one for one in workspace.messages(DM) if one.get("bot_id")]
        return [one for one in messages if all(word in shown(one) for word in words)]

    return workspace.wait_for(found, timeout=90)[0]


def outcomes(settings: Settings) -> dict[str, str]:
    with closing(Database(settings.records_url)) as database:
        return {act.action: act.outcome for act in Audit(database).newest()}


def nobody_watches() -> bool:
    return not Jobs.unfinished("watch training", "")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(training, "_SECONDS_BETWEEN_LOOKS", 0.3)


@pytest.mark.usefixtures("bot")
def test_it_waits_for_a_worker_and_is_followed_to_its_end_in_one_message(
    workspace: Workspace, settings: Settings
) -> None:
    assert "direct messages" in lorebot(workspace, "train")["text"]
    message = told(workspace, "Training default", "no worker has taken it yet")
    with worker(settings, seconds_a_stage=2):
        told(workspace, "default: train, stage 2 of 2")
        done = told(workspace, "default: finished")
    assert [one["ts"] for one in workspace.messages(DM)] == [message["ts"]] == [done["ts"]]
    workspace.wait_for(lambda: outcomes(settings).get("train ended"))
    assert (outcomes(settings)["train"], outcomes(settings)["train ended"]) == ("done", "done")


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("line", "ending", "outcome"),
    [
        ("doomed", "doomed stopped. There are 3 examples.", "stopped"),
        ("broken", "the worker's log says which", "failed: bug"),
    ],
)
def test_why_it_ended_early_is_said(
    workspace: Workspace, settings: Settings, line: str, ending: str, outcome: str
) -> None:
    with worker(settings):
        lorebot(workspace, f"train {line}")
        told(workspace, ending)  # by the worker already, before the job is over
        workspace.wait_for(lambda: "train ended" in outcomes(settings), timeout=30)
    assert outcomes(settings)["train ended"] == outcome


@pytest.mark.usefixtures("bot")
def test_asked_for_twice_it_is_trained_once_and_watched_in_one_message(
    workspace: Workspace, settings: Settings
) -> None:
    for _ in range(2):
        lorebot(workspace, "train")
    told(workspace, "no worker")
    with worker(settings):
        told(workspace, "finished")
    assert len(workspace.messages(DM)) == 1


@pytest.mark.usefixtures("bot")
def test_who_watched_in_vain_may_watch_again(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_LONGEST_WAIT_SECONDS", 0)
    for _ in range(3):  # within one second, too
        lorebot(workspace, "train")
        workspace.wait_for(nobody_watches, timeout=30)
    assert ["watch it again" in shown(one) for one in workspace.messages(DM)] == [True] * 3
    assert outcomes(settings)["train ended"] == "waiting"
    monkeypatch.setattr(training, "_LONGEST_WAIT_SECONDS", 600)
    lorebot(workspace, "train")
    with worker(settings):
        told(workspace, "finished")


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("typed", ["train ../secrets", "train two lines"])
def test_what_is_no_line_is_refused(workspace: Workspace, typed: str) -> None:
    assert "Name one line" in lorebot(workspace, typed)["text"]
    assert workspace.messages(DM) == []


@pytest.mark.usefixtures("bot")
def test_only_admins_have_a_model_trained(workspace: Workspace, settings: Settings) -> None:
    assert "Only admins" in lorebot(workspace, "train", person=BOB)["text"]
    assert outcomes(settings)["train"] == "refused"
    assert workspace.messages("D0BOB") == []


def test_a_stop_while_no_worker_is_there_is_quick_and_quiet_and_the_watch_goes_on_after_it(
    workspace: Workspace,
    settings: Settings,
    start_bot: StartBot,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "_SECONDS_BETWEEN_LOOKS", 30.0)
    with start_bot():
        lorebot(workspace, "train")
        told(workspace, "Training default")
        workspace.wait_for(lambda: Jobs.unfinished("watch training", ""))
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 8
    assert not [record for record in caplog.records if record.exc_info]
    monkeypatch.setattr(training, "_SECONDS_BETWEEN_LOOKS", 0.3)
    with start_bot(), worker(settings):
        told(workspace, "default: finished")
        workspace.wait_for(lambda: outcomes(settings).get("train ended"), timeout=30)
    assert outcomes(settings)["train ended"] == "done"
