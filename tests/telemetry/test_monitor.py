"""Health and metrics over real HTTP."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from bot.domain.errors import BotSettingsError, SlackError
from bot.domain.values import Occasion, Thumb, Vote
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Votes
from bot.records.turns import Turns
from bot.telemetry.gauges import of_health, of_jobs, of_records, of_syncs
from bot.telemetry.health import Health
from bot.telemetry.monitor import Metrics, Monitor
from bot.telemetry.web_server import WebServer
from indexer.sync.journal import Journal
from indexer.sync.sync import Report
from tests.records.test_records import ASKED, answer_to

State = dict[str, str]


@pytest.fixture
def state() -> State:
    """What is the matter with Slack: changed by a test."""
    return {"slack": ""}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'records.sqlite'}")) as database:
        yield database


@pytest.fixture
def url(state: State, database: Database, tmp_path: Path) -> Iterator[str]:
    journal = Journal(tmp_path / "syncs.json")
    journal.write([Report('hand"book', 1, 0, 0, 0, 0, 1, (), failure="away")])

    def records() -> str:
        if state["slack"]:
            raise SlackError("gone")
        return ""

    def pending() -> dict[str, int]:
        records()
        return {"answer": 3}

    health = Health({"slack": lambda: state["slack"], "records": records})
    collectors = of_records(database), of_jobs(pending), of_syncs(journal), of_health(health)
    with served(Monitor(health, Metrics(*collectors))) as url:
        yield url


@contextmanager
def served(monitor: Monitor) -> Iterator[str]:
    """Its address, while the block runs."""
    with closing(WebServer(monitor, "127.0.0.1:0")) as server:
        server.start()
        yield f"http://127.0.0.1:{server.port}"


def scraped(url: str) -> dict[str, float]:
    """Values by series, as the text has them."""
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_alive_and_ready_where_every_part_is_well(url: str) -> None:
    assert httpx.get(f"{url}/healthz").text == "alive\n"
    ready = httpx.get(f"{url}/readyz")
    assert (ready.status_code, ready.json()) == (200, {"slack": "ok", "records": "ok"})
    assert httpx.get(f"{url}/else").status_code == 404


def test_alive_but_not_ready_where_a_part_is_not_well(url: str, state: State) -> None:
    state["slack"] = "not connected"
    assert httpx.get(f"{url}/healthz").status_code == 200
    ready = httpx.get(f"{url}/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"slack": "not connected", "records": "gone"}


def test_metrics_tell_of_parts_and_sources(url: str) -> None:
    found = scraped(url)
    assert found['lorebot_part_up{part="slack"}'] == 1
    assert found['lorebot_source_failed{source="hand\\"book"}'] == 1
    assert 0 <= found['lorebot_source_age_seconds{source="hand\\"book"}'] < 60
    assert found['lorebot_jobs_pending{job="answer"}'] == 3


def test_metrics_that_cannot_be_had_are_missing_and_the_others_are_there(
    url: str, state: State
) -> None:
    state["slack"] = "not connected"
    found = scraped(url)
    assert found['lorebot_part_up{part="slack"}'] == 0
    assert found["lorebot_kept_questions"] == 0
    assert not any(name.startswith("lorebot_jobs_pending") for name in found)


def test_a_part_that_never_answers_costs_its_metrics_and_is_asked_once() -> None:
    asked, release = list[int](), threading.Event()

    def hangs() -> tuple[Metric, ...]:
        asked.append(1)
        assert release.wait(60)
        return (GaugeMetricFamily("lorebot_late", "Late."),)

    metrics = Metrics(hangs, of_health(Health({})), patience_seconds=0.05)
    for _ in range(3):
        text = metrics.text()
        assert "lorebot_part_up" in text
        assert "lorebot_questions_total" in text
        assert "lorebot_late" not in text
    assert asked == [1]
    release.set()
    while "lorebot_late" not in metrics.text():
        pass


def test_a_part_that_hangs_is_asked_once_and_takes_neither_health_nor_metrics_along() -> None:
    asked, release = list[int](), threading.Event()

    def hangs() -> str:
        asked.append(1)
        assert release.wait(60)
        return ""

    health = Health({"slack": str, "records": hangs}, patience_seconds=0.5)
    crowd = 40  # more than the threads that asyncio has for all of them
    with (
        served(Monitor(health, Metrics(of_health(health)))) as url,
        ThreadPoolExecutor(crowd) as pool,
    ):
        answers = [pool.submit(httpx.get, f"{url}/readyz", timeout=30) for _ in range(crowd)]
        assert httpx.get(f"{url}/healthz", timeout=2).text == "alive\n"
        for ready in (answer.result() for answer in answers):
            assert ready.status_code == 503
            assert ready.json()["slack"] == "ok"
            assert "did not answer in time" in ready.json()["records"]
        assert scraped(url)['lorebot_part_up{part="records"}'] == 0
        assert asked == [1]
        release.set()
        while httpx.get(f"{url}/readyz").status_code != 200:
            pass


def test_metrics_of_the_records_tell_what_waits_and_what_is_kept(
    url: str, database: Database
) -> None:
    answers, turns = Answers(database), Turns(database)
    for number in (1, 2, 3):
        answers.ask(replace(ASKED, id=f"C1:{number}.5", thread=f"{number}.5"))
    answers.ask(replace(ASKED, id="C1:4.5", thread="4.5", occasion=Occasion.DIRECT))
    kept = answer_to(replace(ASKED, id="C1:4.5"))
    answer_id = answers.save(kept)
    turns.begin("C1:4.5")
    turns.end("C1:4.5")
    turns.begin("C1:1.5")
    Votes(database).cast(Vote(answer_id, "U1", Thumb.UP, datetime.now(UTC)))
    found = scraped(url)
    assert found["lorebot_kept_questions"] == 4
    assert found['lorebot_questions_waiting{state="queued"}'] == 2
    assert found['lorebot_questions_waiting{state="working"}'] == 1
    assert 0 < found["lorebot_questions_oldest_seconds"] < 60
    assert found['lorebot_kept_answers{ending="quoted",occasion="direct"}'] == 1
    assert found['lorebot_kept_votes{thumb="up"}'] == 1


def test_an_address_that_is_taken_or_none_is_a_sentence(url: str) -> None:
    taken = url.removeprefix("http://")
    for address in (taken, "nowhere", "127.0.0.1:99999"):
        with pytest.raises(BotSettingsError, match="cannot be served"):
            WebServer(_nothing, address)


async def _nothing(*_: object) -> None: ...
