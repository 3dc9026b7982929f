"""The composition root: builds and connects the index, the models, the jobs and the bot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.answering.pipeline import Pipeline
from bot.bootstrap.monitoring import health_of, monitored, traces
from bot.domain.errors import ModelCrashes
from bot.domain.settings import ModelTable, Settings
from bot.jobs.canary_watch import CanaryWatch
from bot.jobs.durable import Jobs
from bot.jobs.index_refresh import APPLICATION, QUEUE, Refreshing
from bot.jobs.reindex import Reindexer
from bot.jobs.retention import RetentionSchedule
from bot.models.registry import Registry
from bot.operations.in_use import serving as data_in_use
from bot.records.audit import Audit
from bot.records.database import Database
from bot.records.reindexes import Reindexes
from bot.serving.lending import FixedModels, Models, ServerModels
from bot.serving.opening import connect_model, load_model, make_model, opener
from bot.serving.serving_models import ServingModels
from indexer.errors import SourceError
from indexer.index import Index, open_index
from indexer.sources.base import Unreadable
from indexer.sync.sync import Progress, no_progress
from indexer.trials import Trials

if TYPE_CHECKING:
    from bot.slack.app import SlackBot

_log = logging.getLogger(__name__)


@contextmanager
def open_synced_index(
    settings: Settings, progress: Progress = no_progress, *, serving: bool = False
) -> Iterator[tuple[Index, tuple[Unreadable, ...]]]:
    """The index, brought up to date with its sources, and what could not be read.

    Raises IndexerError; then nothing that was indexed is lost. With ``serving``, a source that
    cannot be read is logged, and its documents are served as they were indexed; where a worker
    keeps the index up to date, that is left to it.
    """
    with open_index(settings) as index:
        if serving and settings.index.worker:
            yield index, ()
            return
        missed: tuple[Unreadable, ...] = ()
        try:
            reports = index.sync(progress)
            missed = tuple(one for report in reports for one in report.unreadable)
        except SourceError as error:
            if not serving:
                raise
            _log.error("Serving what was indexed before: %s", error)
        yield index, missed


@contextmanager
def open_models(settings: Settings, database: Database | None = None) -> Iterator[Models]:
    """The model that the settings pin, else whatever the registry lets serve, also none.

    The registry is in the records; they are opened where no ``database`` is given, not created.
    """
    table, trials = settings.model, Trials(settings.cache_dir)
    with ExitStack() as stack:
        models: Models
        if table.path:
            models = _pinned(table, table.path, trials)
        elif table.url:
            models = ServerModels(partial(connect_model, table))
        elif table.llm:
            models = ServerModels(partial(make_model, table.llm, table.context_tokens))
        elif database or settings.has_records:
            database = database or stack.enter_context(closing(Database(settings.records_url)))
            registry = Registry(database, settings.models_dir)
            models = ServingModels(registry, opener(table, trials))
        else:
            models = FixedModels(None)
        stack.enter_context(closing(models))
        yield models


@contextmanager
def open_pipeline(
    settings: Settings, index: Index, database: Database | None = None
) -> Iterator[Pipeline]:
    """A pipeline with the serving language model, or quoting where there is none."""
    with open_models(settings, database) as models:
        yield _pipeline(settings, index, models)


def check_slack(settings: Settings) -> None:
    """Raises SlackError if Slack would refuse the tokens: better known before a long indexing."""
    from bot.slack.connection.tokens import check_tokens

    check_tokens(settings.slack)


@contextmanager
def open_slack_bot(settings: Settings, index: Index) -> Iterator[SlackBot]:
    """The bot, connected to Slack and resuming what a crash interrupted, until the block ends."""
    from bot.slack.app import SlackBot
    from bot.slack.connection.clients import current_team, serving

    with ExitStack() as stack:
        stack.enter_context(data_in_use(settings))
        stack.enter_context(traces(settings))
        database = stack.enter_context(closing(Database(settings.records_url)))
        models = stack.enter_context(open_models(settings, database))
        jobs = Jobs(
            settings.jobs_url,
            replica=settings.records.replica,
            carry=current_team,
            restore=serving,
        )
        stack.callback(jobs.close)
        registry = Registry(database, settings.models_dir)
        CanaryWatch(database, registry, settings.canary).schedule(jobs)
        RetentionSchedule(database, settings.retention, jobs)
        connected: list[SlackBot] = []
        health = health_of(index, models, database, lambda: connected)
        bot = SlackBot(settings, index, _pipeline(settings, index, models), database, jobs, health)
        jobs.launch()
        stack.callback(bot.close)
        stack.enter_context(monitored(settings, index, models, database, health))
        bot.connect()
        connected.append(bot)
        yield bot


@contextmanager
def open_index_worker(settings: Settings, index: Index) -> Iterator[Refreshing]:
    """The worker that keeps the index up to date and reindexes at admins' request, while open.

    Admins see its progress in Slack, so it needs the bot's token, but receives no events.
    """
    from bot.slack.admin.authority import Authority
    from bot.slack.admin.reindex import ReindexCommand
    from bot.slack.app import open_client
    from bot.slack.connection.clients import current_team, serving

    with ExitStack() as stack:
        stack.enter_context(data_in_use(settings))
        stack.enter_context(traces(settings))
        database = stack.enter_context(closing(Database(settings.records_url)))
        jobs = Jobs(
            settings.jobs_url,
            application=APPLICATION,
            replica=settings.records.replica,
            carry=current_team,
            restore=serving,
        )
        stack.callback(jobs.close)
        client = open_client(settings.slack, database)
        authority = Authority(settings.slack.admins, Audit(database))
        reindexer = Reindexer(index, settings)
        ReindexCommand(client, reindexer, Reindexes(database), jobs, authority)
        sources = frozenset(table.name for table in settings.sources)
        refreshing = Refreshing(index, sources, jobs, settings.index.refresh)
        jobs.launch()
        jobs.work_on(QUEUE)
        models = FixedModels(None)
        health = health_of(index, models, database)
        stack.enter_context(monitored(settings, index, models, database, health))
        yield refreshing


def _pinned(table: ModelTable, path: Path, trials: Trials) -> FixedModels:
    """The file that the settings name; a mistake in them ends the start, a crash does not."""
    try:
        return FixedModels(load_model(table, path, trials))
    except ModelCrashes as error:
        _log.error("Quoting, since the model of the settings cannot be used: %s", error)
        return FixedModels(None, str(error))


def _pipeline(settings: Settings, index: Index, models: Models) -> Pipeline:
    return Pipeline(
        index,
        models,
        thresholds=settings.thresholds,
        answer_tokens=settings.model.answer_tokens,
        answer_seconds=settings.model.answer_seconds,
    )
