"""Training is asked for by the bot and done by a worker, whenever one is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from bot.jobs.durable import Jobs, State
from bot.jobs.training import (
    APPLICATION,
    JOB,
    QUEUE,
    pipeline_of,
    start_training,
    training_progress,
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path, empty_postgres: str) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    return empty_postgres or pytest.skip("set LOREBOT_TEST_POSTGRES_URL to run this on Postgres")


@contextmanager
def launched(jobs: Jobs) -> Iterator[Jobs]:
    jobs.launch()
    try:
        yield jobs
    finally:
        jobs.close()


def test_bot_asks_and_a_worker_that_comes_later_does_it_once(url: str) -> None:
    with launched(Jobs(url)) as bot:
        key = start_training(bot, "support")
        time.sleep(1.5)
        assert training_progress(bot, key) == ""  # the bot itself takes nothing from the queue
    ran: list[str] = []
    done = Event()

    def work(key: str) -> None:
        ran.append(key)
        worker.tell("support: train")
        done.set()

    worker = Jobs(url, application=APPLICATION)
    worker.register(JOB, work)
    with launched(worker):
        worker.enqueue(APPLICATION, QUEUE, JOB, key)
        worker.work_on(QUEUE)
        assert done.wait(20)
    with launched(Jobs(url)) as bot:
        assert training_progress(bot, key) == "support: train"
    assert ran == [key]
    assert pipeline_of(key) == "support"


def test_what_waits_for_a_worker_is_not_asked_for_again(url: str) -> None:
    with launched(Jobs(url)) as bot:
        key = start_training(bot, "support")
        other = start_training(bot, "billing")
        assert start_training(bot, "support") == key
        assert bot.unfinished(JOB, "") == [key, other]
        assert bot.pending() == {JOB: 2}


def test_what_a_worker_has_ended_is_forgotten_and_may_be_asked_for_again(url: str) -> None:
    with launched(Jobs(url)) as bot:
        key = start_training(bot)
    worker = Jobs(url, application=APPLICATION)
    worker.register(JOB, lambda _key: None)
    with launched(worker):
        worker.work_on(QUEUE)
        deadline = time.monotonic() + 20
        while worker.state(JOB, key) is not State.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with launched(Jobs(url)) as bot:
        assert bot.forget_ended(datetime.now(UTC)) == 1
        assert bot.state(JOB, key) is None
        assert start_training(bot) != key
