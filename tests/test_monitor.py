"""Health and metrics over real HTTP."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bot.errors import BotSettingsError, SlackError
from bot.health import Health
from bot.monitor import Metrics, Monitor
from bot.records.database import Database
from bot.records.statistics import Statistics
from bot.web_server import WebServer
from indexer.journal import Journal
from indexer.sync import Report

State = dict[str, str]


@pytest.fixture
def state() -> State:
    """What is the matter with Slack: changed by a test."""
    return {"slack": ""}


@pytest.fixture
def url(state: State, tmp_path: Path) -> Iterator[str]:
    journal = Journal(tmp_path / "syncs.json")
    journal.write([Report('hand"book', 1, 0, 0, 0, 0, 1, (), failure="away")])

    def records() -> str:
        if state["slack"]:
            raise SlackError("gone")
        return ""

    with closing(Database(f"sqlite:///{tmp_path / 'records.sqlite'}")) as database:
        health = Health({"slack": lambda: state["slack"], "records": records})
        monitor = Monitor(health, Metrics(Statistics(database), journal, health))
        with closing(WebServer(monitor, "127.0.0.1:0")) as server:
            server.start()
            yield f"http://127.0.0.1:{server.port}"


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


def test_metrics_are_what_prometheus_reads(url: str, state: State) -> None:
    state["slack"] = "not connected"
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "# TYPE lorebot_questions_total counter" in lines
    assert "lorebot_questions_total 0.0" in lines
    assert 'lorebot_part_up{part="slack"} 0.0' in lines
    assert 'lorebot_source_failed{source="hand\\"book"} 1.0' in lines
    age = next(line for line in lines if line.startswith("lorebot_source_age_seconds{"))
    assert 0 <= float(age.rpartition(" ")[2]) < 60


def test_an_address_that_is_taken_or_none_is_a_sentence(url: str) -> None:
    taken = url.removeprefix("http://")
    for address in (taken, "nowhere", "127.0.0.1:99999"):
        with pytest.raises(BotSettingsError, match="cannot be served"):
            WebServer(_nothing, address)


async def _nothing(*_: object) -> None: ...
