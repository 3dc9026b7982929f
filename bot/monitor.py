"""Health and metrics over HTTP, for whatever watches the bot: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.health import Health
from bot.records.statistics import Statistics
from bot.web_server import Receive, Scope, Send
from indexer.journal import Journal

_log = logging.getLogger(__name__)

_TEXT, _JSON = "text/plain; version=0.0.4; charset=utf-8", "application/json"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric in Prometheus' text format, with a value for each value of its ``label``."""

    name: str
    kind: str
    help: str
    values: Mapping[str, float]
    label: str = ""


class Metrics:
    """Counted from the records at every scrape: what all replicas did, since the beginning."""

    def __init__(self, statistics: Statistics, journal: Journal, health: Health) -> None:
        self._statistics = statistics
        self._journal = journal
        self._health = health

    def text(self) -> str:
        """In the exposition format, version 0.0.4."""
        return "".join(line for metric in self._all() for line in _lines(metric))

    def _all(self) -> Iterable[Metric]:
        totals, entries = self._statistics.totals(), self._journal.read()
        now = datetime.now(UTC)
        age = {name: (now - entry.finished).total_seconds() for name, entry in entries.items()}
        failed = {name: float(bool(entry.failure)) for name, entry in entries.items()}
        up = {part: float(not problem) for part, problem in self._health.problems().items()}
        asked, waiting = {"": float(totals.questions)}, {"": float(totals.waiting)}
        return (
            Metric("lorebot_questions_total", "counter", "Questions taken in.", asked),
            Metric("lorebot_questions_waiting", "gauge", "Questions without answer.", waiting),
            Metric("lorebot_answers_total", "counter", "Answers given.", totals.endings, "ending"),
            Metric("lorebot_votes_total", "counter", "Votes kept.", totals.thumbs, "thumb"),
            Metric("lorebot_source_age_seconds", "gauge", "Since it was read.", age, "source"),
            Metric("lorebot_source_failed", "gauge", "Its last reading failed.", failed, "source"),
            Metric("lorebot_part_up", "gauge", "A part of the bot is well.", up, "part"),
        )


class Monitor:
    """The ASGI application."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        pages: dict[str, Callable[[], tuple[int, str, str]]] = {
            "/healthz": lambda: (200, "alive\n", _TEXT),
            "/readyz": self._ready,
            "/metrics": lambda: (200, self._metrics.text(), _TEXT),
        }
        page = pages.get(scope["path"], lambda: (404, "not found\n", _TEXT))
        status, body, kind = await asyncio.to_thread(_safely, page)
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    def _ready(self) -> tuple[int, str, str]:
        problems = self._health.problems()
        status = 503 if any(problems.values()) else 200
        return status, json.dumps({part: text or "ok" for part, text in problems.items()}), _JSON


def _safely(page: Callable[[], tuple[int, str, str]]) -> tuple[int, str, str]:
    try:
        return page()
    except Exception:  # noqa: BLE001 - a scrape must not see a stack
        _log.exception("The monitor could not answer.")
        return 500, "the log says why\n", _TEXT


def _lines(metric: Metric) -> Iterable[str]:
    yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
    for key, value in metric.values.items():
        label = f'{{{metric.label}="{_escaped(key)}"}}' if metric.label else ""
        yield f"{metric.name}{label} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
