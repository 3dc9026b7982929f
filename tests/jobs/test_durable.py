"""Durable jobs on the real DBOS and a real database; crashes are real kills of a real process."""

import base64
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from bot.domain.errors import RecordsError, SlackError
from bot.jobs.deaths import given_up
from bot.jobs.durable import Jobs, State, Unexpected, _recover
from indexer.errors import StoreError
from tests.deployment.conftest import own_postgres
from tests.services.databases import execute

__all__ = ["own_postgres"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path, empty_postgres: str) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    return empty_postgres or pytest.skip("set LOREBOT_TEST_POSTGRES_URL to run this on Postgres")


@pytest.fixture
def jobs(url: str) -> Iterator[Jobs]:
    jobs = Jobs(url)
    yield jobs
    jobs.close()


def test_a_job_started_three_times_runs_once(jobs: Jobs) -> None:
    ran: list[str] = []
    done = Event()

    def work(key: str) -> None:
        ran.append(key)
        done.set()

    jobs.register("work", work)
    jobs.launch()
    for _ in range(3):
        jobs.start("work", "C1:1.5")
    assert done.wait(10)
    jobs.start("work", "C1:1.5")
    time.sleep(0.3)
    assert ran == ["C1:1.5"]


def test_jobs_of_different_keys_run_side_by_side(jobs: Jobs) -> None:
    first, second = Event(), Event()

    def work(key: str) -> None:
        mine, other = (first, second) if key == "a" else (second, first)
        mine.set()
        assert other.wait(10)

    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    jobs.start("work", "b")
    assert first.wait(10)
    assert second.wait(10)


def test_jobs_that_are_not_done_are_counted_by_kind(jobs: Jobs) -> None:
    begun, release = Event(), Event()

    def work(_key: str) -> None:
        begun.set()
        assert release.wait(10)

    jobs.register("work", work)
    jobs.launch()
    assert jobs.pending() == {}
    jobs.start("work", "a")
    jobs.start("work", "b")
    assert begun.wait(10)
    assert jobs.pending() == {"work": 2}
    release.set()
    while jobs.pending():
        time.sleep(0.05)


def test_a_step_that_failed_for_the_moment_is_tried_again(jobs: Jobs) -> None:
    attempts: list[int] = []
    done = Event()

    def unreliable() -> str:
        attempts.append(1)
        if len(attempts) < 2:
            raise ConnectionError("away")
        return "there"

    def work(key: str) -> None:
        is_away = lambda error: isinstance(error, ConnectionError)  # noqa: E731
        assert jobs.step("call", unreliable, is_away) == "there"
        done.set()

    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    assert done.wait(15)
    assert len(attempts) == 2


@pytest.mark.parametrize("place", ["job", "step"])
def test_what_an_unexpected_error_says_is_not_kept(
    jobs: Jobs, url: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble() -> None:
        raise ValueError("cannot parse 'Project Bittern'")

    jobs.register("work", lambda _: stumble() if place == "job" else jobs.step("part", stumble))
    jobs.launch()
    jobs.start("work", "a")
    while jobs.state("work", "a") is not State.FAILED:
        time.sleep(0.05)
    found = kept(url)
    assert {type(error) for error in found} == {Unexpected}
    assert {str(error) for error in found} == {"ValueError"}
    assert len(found) == (1 if place == "job" else 2)
    (logged,) = [record for record in caplog.records if record.name == "bot.jobs.durable"]
    assert logged.getMessage() == f"The {place} {'work' if place == 'job' else 'part'} failed."
    assert logged.exc_info


@pytest.mark.parametrize("error", [RecordsError("Busy."), StoreError("Away.")])
def test_what_an_expected_error_says_is_kept(jobs: Jobs, url: str, error: Exception) -> None:
    def give_up(_key: str) -> None:
        raise error

    jobs.register("work", give_up)
    jobs.launch()
    jobs.start("work", "a")
    while jobs.state("work", "a") is not State.FAILED:
        time.sleep(0.05)
    assert repr(kept(url)) == repr([error])


def kept(url: str) -> list[Exception]:
    """The errors of jobs and their steps, as DBOS keeps them."""
    rows = [
        *execute(url, "SELECT error FROM {jobs}workflow_output"),
        *execute(url, "SELECT error FROM {jobs}operation_outputs"),
    ]
    return [pickle.loads(base64.b64decode(error)) for (error,) in rows if error]


_PROGRAM = """
import sys, time
from pathlib import Path
from bot.jobs.durable import Jobs

url, journal, begin = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "begin"

def note(text):
    with journal.open("a") as lines:
        lines.write(text + "\\n")
    return text

def work(key):
    jobs.step("first", lambda: note("first"))
    if begin:
        note("waiting")
        time.sleep(60)
    jobs.step("second", lambda: note("second"))
    note("done")

jobs = Jobs(url)
jobs.register("work", work)
jobs.launch()
if begin:
    jobs.start("work", "key")
time.sleep(60)
"""


def test_a_killed_job_resumes_behind_its_last_finished_step(url: str, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.touch()

    def start(phase: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _PROGRAM, url, str(journal), phase]
        return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(Path.cwd())})

    with start("begin") as doomed:
        _wait_for(journal, "waiting")
        doomed.send_signal(signal.SIGKILL)
    with start("resume") as heir:
        _wait_for(journal, "done")
        heir.kill()
    assert journal.read_text().split() == ["first", "waiting", "second", "done"]


def _wait_for(journal: Path, word: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while word not in journal.read_text().split():
        assert time.monotonic() < deadline, f"no {word!r} in {journal.read_text()!r}"
        time.sleep(0.05)


def test_a_step_that_was_tried_often_enough_raises_what_it_failed_by(jobs: Jobs) -> None:
    caught: list[Exception] = []
    done = Event()

    def fails() -> None:
        raise SlackError("It is away.")

    def work(_key: str) -> None:
        try:
            jobs.step("reply", fails, lambda _error: True, attempts=2)
        except SlackError as error:
            caught.append(error)
        done.set()

    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    assert done.wait(30)
    assert [str(one) for one in caught] == ["It is away."]


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_a_job_is_told_in_whatever_way_it_ends(jobs: Jobs, fails: bool) -> None:
    ended = Event()

    def work(_key: str) -> None:
        with jobs.at_end(ended.set):
            if fails:
                raise SlackError("It is away.")

    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    assert ended.wait(10)


def test_the_end_of_a_job_is_told_also_while_its_process_closes(url: str) -> None:
    begun, go_on, ended = Event(), Event(), Event()
    jobs = Jobs(url)

    def work(_key: str) -> None:
        with jobs.at_end(ended.set):
            begun.set()
            go_on.wait(30)

    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    assert begun.wait(10)
    closing = Thread(target=jobs.close)
    closing.start()
    while not jobs.is_closed:
        time.sleep(0.01)
    go_on.set()
    closing.join()
    assert ended.is_set()


def test_a_job_that_another_process_took_over_ends_there_alone(jobs: Jobs) -> None:
    ended: list[int] = []
    begun, go_on, gone = ([Event(), Event()] for _ in range(3))

    def work(_key: str) -> None:
        number = 1 if begun[0].is_set() else 0
        begun[number].set()
        try:
            with jobs.at_end(lambda: ended.append(number)):
                jobs.step("write", lambda: go_on[number].wait(30))
        finally:
            gone[number].set()

    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    assert begun[0].wait(10)
    _recover("local")  # what others do with a process that they hold for dead
    assert begun[1].wait(30)
    go_on[0].set()
    time.sleep(0.5)
    assert ended == []
    go_on[1].set()
    assert gone[0].wait(30)
    assert gone[1].wait(30)
    assert ended == [1]


def test_a_scheduled_job_runs_at_its_times_each_once(jobs: Jobs) -> None:
    moments: list[str] = []
    twice = Event()

    def due(moment: str) -> None:
        moments.append(moment)
        if len(moments) > 1:
            twice.set()

    jobs.schedule("due", "* * * * * *", due)
    jobs.launch()
    assert twice.wait(30)
    assert len(set(moments)) == len(moments)


def test_a_job_is_surrounded_by_what_was_carried_from_its_start(url: str) -> None:
    place = ["outside"]
    seen: list[str] = []
    done = Event()

    @contextmanager
    def restore(carried: str) -> Iterator[None]:
        place.append(carried)
        yield
        place.pop()

    def work(_key: str) -> None:
        seen.append(place[-1])
        done.set()

    jobs = Jobs(url, carry=lambda: "T1", restore=restore)
    jobs.register("work", work)
    jobs.launch()
    jobs.start("work", "a")
    assert done.wait(10)
    jobs.close()
    assert seen == ["T1"]


def test_what_is_to_happen_at_launch_may_start_jobs(jobs: Jobs) -> None:
    done = Event()
    jobs.register("work", lambda _key: done.set())
    jobs.at_launch(lambda: jobs.start("work", "a"))
    assert not jobs.is_closed
    jobs.launch()
    assert done.wait(10)


_POISON = """
import os, sys, time
from pathlib import Path
from bot.jobs.durable import Jobs

url, journal, ending = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def note(text):
    with journal.open("a") as lines:
        lines.write(text + "\\n")

def work(key):
    note(f"begun-{key}")
    if key == "good":
        time.sleep(0.3)
        note("done-good")
    elif ending == "kill":
        time.sleep(0.1)
        os.kill(os.getpid(), 9)
    elif ending == "order":
        note("waiting")
        time.sleep(60)
    elif ending == "steps":
        for number in range(4):
            jobs.step(f"step {number}", lambda: note(f"step-{number}"))
            if f"died-{number}" not in journal.read_text():
                note(f"died-{number}")
                os.kill(os.getpid(), 9)
    note(f"ended-{key}")

def tell(key):
    note(f"told-{key}")

jobs = Jobs(url, replica=os.environ.get("REPLICA", "local"))
jobs.register("work", work, give_up=tell, recover_alone=True)
jobs.launch()
for key in sys.argv[4:]:
    jobs.start("work", key)
try:
    while not Path(f"{journal}.stop").exists():
        time.sleep(0.05)
finally:
    jobs.close(timeout_seconds=1)
os._exit(0)
"""


class _Processes:
    """Processes of one installation, one after the other, and what they note."""

    def __init__(self, url: str, folder: Path) -> None:
        self.replica = "local"
        self._url = url
        self._journal = folder / "journal"
        self._journal.touch()
        self._stop = folder / "journal.stop"

    @property
    def noted(self) -> list[str]:
        return self._journal.read_text().split()

    def until_it_dies(self, ending: str, *keys: str) -> None:
        with self._start(ending, *keys) as process:
            assert process.wait(90) == -signal.SIGKILL

    @contextmanager
    def until(
        self, word: str, ending: str, *keys: str, seconds: float = 30
    ) -> "Iterator[subprocess.Popen[bytes]]":
        with self._start(ending, *keys) as process:
            _wait_for(self._journal, word, seconds)
            yield process
            self._stop.touch()
            assert process.wait(60) == 0
            self._stop.unlink()

    def _start(self, ending: str, *keys: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _POISON, self._url, str(self._journal), ending, *keys]
        variables = {"PYTHONPATH": str(Path.cwd()), "REPLICA": self.replica}
        return subprocess.Popen(command, env=os.environ | variables)


@pytest.fixture
def processes(url: str, tmp_path: Path) -> _Processes:
    return _Processes(url, tmp_path)


def test_a_job_that_two_processes_died_in_is_given_up_and_told_once(
    processes: _Processes, url: str
) -> None:
    processes.until_it_dies("kill", "bad")
    processes.until_it_dies("kill")
    with processes.until("told-bad", "kill", "good"):
        time.sleep(1)
    with processes.until("done-good", "kill"):
        time.sleep(1)
    assert processes.noted.count("begun-bad") == 2
    assert processes.noted.count("told-bad") == 1
    assert processes.noted.count("done-good") == 1
    assert given_up(url, datetime.now(UTC) - timedelta(hours=1)) == {"work": 1}
    assert given_up(url, datetime.now(UTC) + timedelta(hours=1)) == {}


def test_of_jobs_side_by_side_only_the_one_to_blame_is_given_up(processes: _Processes) -> None:
    processes.until_it_dies("kill", "good", "bad")
    processes.until_it_dies("kill")
    with processes.until("told-bad", "kill"):
        while "ended-good" not in processes.noted:
            time.sleep(0.05)
    assert "told-good" not in processes.noted
    assert processes.noted.count("begun-bad") == 2


def test_a_process_that_ends_in_good_order_has_not_died(processes: _Processes) -> None:
    for _ in range(4):
        with processes.until("waiting", "order", "long"):
            processes._journal.write_text("\n".join(processes.noted).replace("waiting", "waited"))
    assert "told-long" not in processes.noted
    processes.until_it_dies("kill")
    processes.until_it_dies("kill")
    with processes.until("told-long", "kill"):
        pass


def test_a_job_that_gets_on_from_death_to_death_is_not_given_up(processes: _Processes) -> None:
    processes.until_it_dies("steps", "slow")
    for _ in range(3):
        processes.until_it_dies("steps")
    with processes.until("ended-slow", "steps"):
        pass
    assert "told-slow" not in processes.noted
    assert [word for word in processes.noted if word.startswith("step-")] == [
        f"step-{number}" for number in range(4)
    ]


def test_a_job_that_two_replicas_died_in_is_given_up_by_the_third(
    own_postgres: str, tmp_path: Path
) -> None:
    processes = _Processes(own_postgres, tmp_path)
    processes.replica = "one"
    processes.until_it_dies("kill", "good", "bad")
    processes.replica = "two"  # takes over what "one" has left, half a minute later
    processes.until_it_dies("kill")
    processes.replica = "three"
    with processes.until("told-bad", "kill", seconds=90):
        _wait_for(processes._journal, "ended-good")
    assert processes.noted.count("begun-bad") == 2
    assert "told-good" not in processes.noted
