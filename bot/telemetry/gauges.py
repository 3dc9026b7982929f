"""Gauges computed at each scrape: records, jobs, index, models and health.

What comes from the records, the jobs and the index is the same in every replica that shares them:
take the maximum over replicas, never the sum. Models and health are each replica's own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from bot.domain import prompts
from bot.records.database import Database
from bot.records.statistics import Statistics
from bot.serving.lending import InUse, Models
from bot.telemetry.health import Health
from indexer.index import Index
from indexer.stores.base import IndexedDocument
from indexer.sync.journal import Journal

if TYPE_CHECKING:
    from bot.serving.breaker import CircuitBreaker
    from bot.serving.llama_cpp.scheduler import EngineStatistics

Collector = Callable[[], Iterable[Metric]]
"""May raise, or take for ever, where its part is away: then its metrics are missing."""

_INDEX_SECONDS = 60.0


def of_records(database: Database) -> Collector:
    def collect() -> Iterable[Metric]:
        now = Statistics(database).figures()
        waiting = {"queued": now.queued, "working": now.working}
        oldest, kept = now.oldest_seconds, now.questions
        labels = ["ending", "occasion"]
        answers = GaugeMetricFamily(
            "lorebot_kept_answers", "Answers in the records.", labels=labels
        )
        for values, count in now.answers.items():
            answers.add_metric(values, count)
        return (
            _gauge("lorebot_questions_waiting", "Questions to be done.", "state", waiting),
            GaugeMetricFamily("lorebot_questions_oldest_seconds", "Age of the oldest.", oldest),
            GaugeMetricFamily("lorebot_kept_questions", "Questions in the records.", kept),
            answers,
            _gauge("lorebot_kept_votes", "Votes in the records.", "thumb", now.votes),
        )

    return collect


def of_jobs(
    pending: Callable[[], Mapping[str, int]],
    given_up: Callable[[], Mapping[str, int]] = dict,
) -> Collector:
    """``pending`` counts unfinished jobs by their kind, ``given_up`` those that killed."""

    def collect() -> Iterable[Metric]:
        return (
            _gauge("lorebot_jobs_pending", "Jobs that wait or run.", "job", pending()),
            _gauge("lorebot_jobs_given_up", "Jobs two processes died in.", "job", given_up()),
        )

    return collect


def of_syncs(journal: Journal) -> Collector:
    def collect() -> Iterable[Metric]:
        entries, now = journal.read(), datetime.now(UTC)
        age = {name: (now - entry.finished).total_seconds() for name, entry in entries.items()}
        failed = {name: bool(entry.failure) for name, entry in entries.items()}
        unreadable = {name: len(entry.unreadable) for name, entry in entries.items()}
        return (
            _gauge("lorebot_source_age_seconds", "Since it was read.", "source", age),
            _gauge("lorebot_source_failed", "Its last reading failed.", "source", failed),
            _gauge("lorebot_source_unreadable", "What was skipped.", "source", unreadable),
        )

    return collect


def of_index(
    index: Index,
    *,
    seconds: float = _INDEX_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Collector:
    """Counting reads every document's entry, so it is done once in ``seconds``."""
    lock = threading.Lock()
    counted: list[Metric] = []
    again_at = 0.0

    def collect() -> Iterable[Metric]:
        nonlocal counted, again_at
        with lock:
            if not counted or clock() >= again_at:
                counted = _counted(index.store.documents())
                again_at = clock() + seconds
            return counted

    return collect


def of_models(models: Models) -> Collector:
    def collect() -> Iterable[Metric]:
        in_use = models.in_use()
        share = sum(one.share for one in in_use if one.role == "canary")
        is_open = _breakers(in_use)
        return (
            _info(in_use),
            GaugeMetricFamily("lorebot_canary_share", "Share of questions for the canary.", share),
            *_engines(in_use),
            _gauge("lorebot_model_breaker_open", "The server is left alone.", "role", is_open),
        )

    return collect


def of_health(health: Health) -> Collector:
    def collect() -> Iterable[Metric]:
        up = {part: not problem for part, problem in health.problems().items()}
        return (_gauge("lorebot_part_up", "A part of the bot is well.", "part", up),)

    return collect


def _counted(documents: Mapping[str, IndexedDocument]) -> list[Metric]:
    by_source = Counter(one.source for one in documents.values())
    chunks: Counter[str] = Counter()
    for one in documents.values():
        chunks[one.source] += one.chunks
    return [
        _gauge("lorebot_index_documents", "Documents indexed.", "source", by_source),
        _gauge("lorebot_index_chunks", "Chunks of them.", "source", chunks),
    ]


def _info(in_use: Iterable[InUse]) -> Metric:
    labels = ["role", "model", "hash", "adapter", "prompts"]
    info = GaugeMetricFamily("lorebot_model_info", "Which models answer.", labels=labels)
    for one in in_use:
        model = one.model.identity
        values = [one.role, model.name, model.label.digits, model.adapter, prompts.VERSION]
        info.add_metric(values, 1.0)
    return info


def _engines(in_use: Iterable[InUse]) -> Iterable[Metric]:
    """Of engines in this process; a server has metrics of its own."""
    tokens = CounterMetricFamily(
        "lorebot_engine_tokens_total",
        "Tokens that went through the model, came from its cache, or were written.",
        labels=["role", "kind"],
    )
    preemptions = CounterMetricFamily(
        "lorebot_engine_preemptions_total", "Requests that had to make room.", labels=["role"]
    )
    requests = GaugeMetricFamily(
        "lorebot_engine_requests", "Requests of the model.", labels=["role", "state"]
    )
    used = GaugeMetricFamily(
        "lorebot_engine_cache_used_ratio", "Of its key-value cache.", labels=["role"]
    )
    for one in in_use:
        now: EngineStatistics | None = getattr(one.model, "statistics", None)
        if now is None:
            continue
        tokens.add_metric([one.role, "computed"], now.computed_tokens)
        tokens.add_metric([one.role, "reused"], now.reused_tokens)
        tokens.add_metric([one.role, "produced"], now.produced_tokens)
        preemptions.add_metric([one.role], now.preemptions)
        requests.add_metric([one.role, "active"], now.active)
        requests.add_metric([one.role, "waiting"], now.waiting)
        used.add_metric([one.role], now.used_cells / max(now.cells, 1))
    return tokens, preemptions, requests, used


def _breakers(in_use: Iterable[InUse]) -> Mapping[str, bool]:
    """Whether each is open, by the role of its model."""
    found: dict[str, CircuitBreaker | None] = {
        one.role: getattr(one.model, "breaker", None) for one in in_use
    }
    return {role: breaker.is_open for role, breaker in found.items() if breaker is not None}


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """A series for each value of the label."""
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for one, value in values.items():
        gauge.add_metric([one], value)
    return gauge
