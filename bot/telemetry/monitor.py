"""Health and metrics over HTTP: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from http import HTTPStatus

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    Metric,
    disable_created_metrics,
    generate_latest,
)

from bot.domain.errors import LorebotError
from bot.telemetry.counters import COUNTED
from bot.telemetry.gauges import Collector
from bot.telemetry.health import Health
from bot.telemetry.single_flight import SingleFlight
from bot.telemetry.web_server import Receive, Scope, Send, answer
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

_TEXT, _JSON = CONTENT_TYPE_PLAIN_0_0_4, "application/json"
_ALIVE = 200, "alive\n", _TEXT


class Metrics:
    """What this process has counted, and what ``collectors`` look up at every scrape."""

    def __init__(self, *collectors: Collector, patience_seconds: float = 5.0) -> None:
        self._collectors = [SingleFlight(collector) for collector in collectors]
        self._patience_seconds = patience_seconds
        disable_created_metrics()  # type: ignore[no-untyped-call]

    def text(self) -> str:
        """In the exposition format, version 0.0.4."""
        return generate_latest(self).decode()

    def collect(self) -> Iterator[Metric]:
        """What cannot be looked up, or not in time, is left out: all are waited for together."""
        looked_up = [collector.ask() for collector in self._collectors]
        wait(looked_up, self._patience_seconds)
        yield from COUNTED.collect()
        for found in looked_up:
            try:
                yield from found.result(timeout=0)
            except (LorebotError, IndexerError) as error:
                _log.warning("Some metrics are missing: %s", error)
            except Exception:  # noqa: BLE001 - the other metrics are as right as before
                _log.warning("Some metrics are missing.", exc_info=True)


class Monitor:
    """The ASGI application."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            await answer(send, HTTPStatus.METHOD_NOT_ALLOWED)
            return
        pages: dict[str, Callable[[], tuple[int, str, str]]] = {
            "/readyz": self._ready,
            "/metrics": lambda: (200, self._metrics.text(), _TEXT),
        }
        page = pages.get(scope["path"], lambda: (404, "not found\n", _TEXT))
        if scope["path"] == "/healthz":  # waits for no thread: those may all wait for a part
            status, body, kind = _ALIVE
        else:
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
