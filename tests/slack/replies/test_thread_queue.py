"""The queue on real jobs and records: a question that ends lets the next begin, in every case."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from bot.domain.values import Asked
from bot.jobs.durable import Jobs
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.turns import Turns
from bot.slack.replies.thread_queue import ThreadQueue

FIRST = Asked("C1:10.000001", "Ev1", "C1", "10.000001", "U1", "How much?")
SECOND = replace(FIRST, id="C1:10.000002", event_id="Ev2")


class Answering:
    """Stands for what answers: notes who begins, and fails or waits as told."""

    def __init__(self, turns: Turns, jobs: Jobs) -> None:
        self.begun: list[str] = []
        self.second_has_begun = Event()
        self.go_on = Event()
        self._queue = ThreadQueue(turns, jobs, "answer")
        jobs.register("answer", self._job)

    def enter(self, asked: Asked) -> None:
        self._queue.enter(asked)

    def _job(self, question_id: str) -> None:
        self.begun.append(question_id)
        try:
            if question_id == SECOND.id:
                self.second_has_begun.set()
                return
            assert self.go_on.wait(30)
            raise ValueError("This question never will be answered.")
        finally:
            self._queue.leave(question_id)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'records.sqlite'}")) as database:
        yield database


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    with closing(Jobs(f"sqlite:///{tmp_path / 'jobs.sqlite'}")) as jobs:
        yield jobs


def test_a_job_that_fails_for_good_lets_the_next_one_begin(database: Database, jobs: Jobs) -> None:
    answering = Answering(Turns(database), jobs)
    jobs.launch()
    for asked in (FIRST, SECOND):
        Answers(database).ask(asked)
        answering.enter(asked)
    assert not answering.second_has_begun.wait(1)
    answering.go_on.set()
    assert answering.second_has_begun.wait(30)
    assert answering.begun == [FIRST.id, SECOND.id]


def test_a_turn_whose_job_is_over_is_passed_on(database: Database, jobs: Jobs) -> None:
    """The records were away as the first one's job ended, so it could not say so."""
    turns, answering = Turns(database), Event()
    queue = ThreadQueue(turns, jobs, "answer")
    jobs.register("answer", lambda key: answering.set() if key == SECOND.id else None)
    jobs.launch()
    Answers(database).ask(FIRST)
    assert turns.begin(FIRST.id) == FIRST.id
    jobs.start("answer", FIRST.id)
    Answers(database).ask(SECOND)
    while not answering.wait(0.2):
        queue.enter(SECOND)
    assert [one.question_id for one in turns.unfinished()] == [SECOND.id]


def test_what_was_kept_before_a_crash_begins_at_the_next_launch(
    database: Database, jobs: Jobs
) -> None:
    Answers(database).ask(SECOND)
    answering = Answering(Turns(database), jobs)
    jobs.launch()
    assert answering.second_has_begun.wait(30)


def test_a_long_line_is_offered_its_turn_once_at_launch(database: Database, jobs: Jobs) -> None:
    class Counting(Turns):
        offered = 0

        def begin(self, question_id: str) -> str | None:
            self.offered += 1
            return super().begin(question_id)

    for number in range(20):
        Answers(database).ask(replace(FIRST, id=f"C1:10.0000{number:02}", event_id=f"Ev{number}"))
    turns, begun, go_on = Counting(database), Event(), Event()

    def job(_key: str) -> None:
        begun.set()
        assert go_on.wait(30)

    ThreadQueue(turns, jobs, "answer")
    jobs.register("answer", job)
    jobs.launch()
    assert begun.wait(30)
    assert turns.offered == 1
    go_on.set()


def test_a_line_that_is_served_is_left_alone(database: Database, jobs: Jobs) -> None:
    turns, begun, go_on = Turns(database), Event(), Event()

    def job(_key: str) -> None:
        begun.set()
        assert go_on.wait(30)

    jobs.register("answer", job)
    jobs.launch()
    for asked in (FIRST, SECOND):
        Answers(database).ask(asked)
    turns.begin(FIRST.id)
    jobs.start("answer", FIRST.id)
    assert begun.wait(30)
    offered: list[str] = []

    class Watched(ThreadQueue):
        def _begin(self, question_id: str, team: str, after: float = 0.0) -> None:
            offered.append(question_id)

    Watched(turns, jobs, "answer").leave("C1:forgotten")
    assert offered == []
    go_on.set()
