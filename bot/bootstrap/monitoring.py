"""Builds health, metrics and traces for a running process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from bot.domain.settings import Settings
from bot.jobs.durable import Jobs
from bot.records.audit import Audit
from bot.records.database import Database
from bot.serving.lending import Models
from bot.telemetry import gauges
from bot.telemetry.health import Health
from bot.telemetry.monitor import Metrics, Monitor
from bot.telemetry.tracing import traced
from bot.telemetry.web_server import WebServer
from indexer.index import Index

if TYPE_CHECKING:
    from bot.slack.app import SlackBot


@contextmanager
def monitored(
    settings: Settings, opened: Index, models: Models, database: Database, health: Health
) -> Iterator[None]:
    """Within the block, health and metrics on their own port, where the settings name one.

    Jobs have to be launched. Raises BotSettingsError.
    """
    if not settings.monitor.listen:
        yield
        return
    metrics = Metrics(
        gauges.of_records(database),
        gauges.of_jobs(Jobs.pending, Jobs.given_up),
        gauges.of_syncs(opened.journal),
        gauges.of_index(opened),
        gauges.of_models(models),
        gauges.of_health(health),
    )
    with closing(WebServer(Monitor(health, metrics), settings.monitor.listen)) as server:
        server.start()
        yield


def traces(settings: Settings) -> AbstractContextManager[None]:
    """Within the block, traces to where the settings say; to be left after all jobs have ended.

    Raises BotSettingsError.
    """
    replica = settings.records.replica
    return traced(settings.monitor.traces_url, replica, version("lorebot"))


def health_of(
    opened: Index,
    models: Models,
    database: Database,
    bots: Callable[[], list[SlackBot]] | None = None,
) -> Health:
    """Of a bot; without ``bots``, of a process that is not connected to Slack."""
    audit = Audit(database)

    def slack() -> str:
        connected = bots is None or any(bot.transport.is_connected for bot in bots())
        return "" if connected else "Slack is not connected; it is tried again and again."

    def index() -> str:
        opened.store.check()
        return ""

    def records() -> str:
        audit.newest(1)
        return ""

    def model() -> str:
        return " ".join(models.problems())

    return Health({"slack": slack, "index": index, "records": records, "model": model})
