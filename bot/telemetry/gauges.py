"""What is looked up when the metrics are read: records, jobs, index, models and health.

What comes from the records, the jobs and the index is the same in every replica that shares them:
take the maximum over replicas, never the sum. Models and health are each replica's own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot import prompts
from bot.health import Health
from bot.records.database import Database
from bot.records.figures import figures
from bot.serving.lending import InUse, Models
from bot.telemetry.meters import Labels, Metric, Sample
from indexer.journal import Journal
from indexer.library import Library
from indexer.stores.base import IndexedDocument

if TYPE_CHECKING:
    from bot.serving.breaker import CircuitBreaker
    from bot.serving.scheduler import EngineStatistics

Collector = Callable[[], Iterable[Metric]]
"""May raise, or take for ever, where its part is away: then its metrics are missing."""

_INDEX_SECONDS = 60.0
_HASH = 12
_NO_LABELS: Labels = MappingProxyType({})


def of_records(database: Database) -> Collector:
    def collect() -> Iterable[Metric]:
        now = figures(database)
        waiting = {"queued": now.queued, "working": now.working}
        answers = [
            Sample(count, {"ending": ending, "occasion": occasion})
            for (ending, occasion), count in now.answers.items()
        ]
        oldest, kept = now.oldest_seconds, now.questions
        return (
            _gauge("lorebot_questions_waiting", "Questions to be done.", _by("state", waiting)),
            _gauge("lorebot_questions_oldest_seconds", "Age of the oldest.", [Sample(oldest)]),
            _gauge("lorebot_kept_questions", "Questions in the records.", [Sample(kept)]),
            _gauge("lorebot_kept_answers", "Answers in the records.", answers),
            _gauge("lorebot_kept_votes", "Votes in the records.", _by("thumb", now.votes)),
        )

    return collect


def of_jobs(pending: Callable[[], Mapping[str, int]]) -> Collector:
    """``pending`` counts unfinished jobs by their kind."""

    def collect() -> Iterable[Metric]:
        samples = _by("job", pending())
        return (_gauge("lorebot_jobs_pending", "Jobs that wait or run.", samples),)

    return collect


def of_syncs(journal: Journal) -> Collector:
    def collect() -> Iterable[Metric]:
        entries, now = journal.read(), datetime.now(UTC)
        age = {name: (now - entry.finished).total_seconds() for name, entry in entries.items()}
        failed = {name: bool(entry.failure) for name, entry in entries.items()}
        unreadable = {name: len(entry.unreadable) for name, entry in entries.items()}
        return (
            _gauge("lorebot_source_age_seconds", "Since it was read.", _by("source", age)),
            _gauge("lorebot_source_failed", "Its last reading failed.", _by("source", failed)),
            _gauge("lorebot_source_unreadable", "What was skipped.", _by("source", unreadable)),
        )

    return collect


def of_index(
    library: Library,
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
                counted = _counted(library.store.documents())
                again_at = clock() + seconds
            return counted

    return collect


def of_models(models: Models) -> Collector:
    def collect() -> Iterable[Metric]:
        in_use = models.in_use()
        shares = [Sample(one.share) for one in in_use if one.role == "canary"] or [Sample(0.0)]
        return (
            _gauge("lorebot_model_info", "Which models answer.", map(_info, in_use)),
            _gauge("lorebot_canary_share", "Share of questions for the canary.", shares),
            *_engines(in_use),
            _gauge("lorebot_model_breaker_open", "The server is left alone.", _breakers(in_use)),
        )

    return collect


def of_health(health: Health) -> Collector:
    def collect() -> Iterable[Metric]:
        up = {part: not problem for part, problem in health.problems().items()}
        return (_gauge("lorebot_part_up", "A part of the bot is well.", _by("part", up)),)

    return collect


def _counted(documents: Mapping[str, IndexedDocument]) -> list[Metric]:
    by_source = Counter(one.source for one in documents.values())
    chunks: Counter[str] = Counter()
    for one in documents.values():
        chunks[one.source] += one.chunks
    return [
        _gauge("lorebot_index_documents", "Documents indexed.", _by("source", by_source)),
        _gauge("lorebot_index_chunks", "Chunks of them.", _by("source", chunks)),
    ]


def _info(one: InUse) -> Sample:
    identity = one.model.identity
    return Sample(
        1.0,
        {
            "role": one.role,
            "model": identity.name,
            "hash": identity.sha256[:_HASH],
            "adapter": identity.adapter,
            "prompts": prompts.VERSION,
        },
    )


def _engines(in_use: Iterable[InUse]) -> Iterable[Metric]:
    """Of engines in this process; a server has metrics of its own."""
    tokens: list[Sample] = []
    requests: list[Sample] = []
    preemptions: list[Sample] = []
    used: list[Sample] = []
    for one in in_use:
        now: EngineStatistics | None = getattr(one.model, "statistics", None)
        if now is None:
            continue
        labels = {"role": one.role}
        kinds = {
            "computed": now.computed_tokens,
            "reused": now.reused_tokens,
            "produced": now.produced_tokens,
        }
        tokens += _by("kind", kinds, labels)
        requests += _by("state", {"active": now.active, "waiting": now.waiting}, labels)
        preemptions.append(Sample(now.preemptions, labels))
        used.append(Sample(now.used_cells / max(now.cells, 1), labels))
    text = "Tokens that went through the model, came from its cache, or were written."
    name, paused = "lorebot_engine_preemptions_total", "Requests that had to make room."
    return (
        Metric("lorebot_engine_tokens_total", "counter", text, tuple(tokens)),
        Metric(name, "counter", paused, tuple(preemptions)),
        _gauge("lorebot_engine_requests", "Requests of the model.", requests),
        _gauge("lorebot_engine_cache_used_ratio", "Of its key-value cache.", used),
    )


def _breakers(in_use: Iterable[InUse]) -> Iterable[Sample]:
    for one in in_use:
        breaker: CircuitBreaker | None = getattr(one.model, "breaker", None)
        if breaker is not None:
            yield Sample(breaker.is_open, {"role": one.role})


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    return Metric(name, "gauge", text, tuple(samples))


def _by(label: str, values: Mapping[str, float], labels: Labels = _NO_LABELS) -> list[Sample]:
    """A sample for each value of the label."""
    return [Sample(value, {**labels, label: name}) for name, value in values.items()]
