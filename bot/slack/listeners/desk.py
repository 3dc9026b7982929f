"""Everything for admins, put together and registered with the Bolt app."""

from __future__ import annotations

from slack_bolt import App
from slack_sdk import WebClient

from bot.domain.settings import Settings
from bot.jobs.durable import Jobs
from bot.jobs.reindex import Reindexer
from bot.models.registry import Registry
from bot.records.audit import Audit
from bot.records.channels import Channels, People
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.reindexes import Reindexes
from bot.records.statistics import Statistics
from bot.slack.admin.authority import Authority
from bot.slack.admin.channel_settings import SettingsCommand
from bot.slack.admin.command import Command
from bot.slack.admin.digest import DigestCommand, Unanswered
from bot.slack.admin.forget import ForgetCommand
from bot.slack.admin.looking import AuditCommand, FeedbackCommand, SourcesCommand, StatusCommand
from bot.slack.admin.models import ModelsCommand
from bot.slack.admin.overview import Overview
from bot.slack.admin.permalinks import Permalinks
from bot.slack.admin.reindex import ReindexCommand
from bot.slack.admin.training import TrainCommand
from bot.slack.listeners.home import Home
from bot.telemetry.health import Health
from indexer.index import Index


def register_admin_listeners(
    app: App,
    client: WebClient,
    settings: Settings,
    index: Index,
    database: Database,
    jobs: Jobs,
    health: Health,
) -> None:
    """Registers `/lorebot`, its buttons and modal, the digest's schedule, and App Home.

    ``client`` is for jobs; listeners use the one that Bolt hands them.
    """
    slack = settings.slack
    authority = Authority(slack.admins, Audit(database))
    statistics, people = Statistics(database), People(database)
    forgetting = Forgetting(database)
    registry = Registry(database, settings.models_dir)
    overview = Overview(index, health, statistics, registry, settings.model.pinned)
    permalinks = Permalinks()
    unanswered = Unanswered(statistics, permalinks)

    reindex = ReindexCommand(
        client,
        Reindexer(index, settings),
        Reindexes(database),
        jobs,
        authority,
        by_worker=settings.index.worker,
    )
    models = ModelsCommand(registry, overview, authority)
    forget = ForgetCommand(forgetting, people, authority)
    sources = tuple(source.name for source in settings.sources)
    channel = SettingsCommand(Channels(database), authority, sources)
    digest = DigestCommand(
        client,
        unanswered,
        jobs,
        channel=slack.digest_channel,
        at=f"0 {slack.digest_hour} * * {slack.digest_day}",
        team=slack.workspaces[0] if slack.is_distributed else "",
    )
    subcommands = (
        StatusCommand(overview),
        SourcesCommand(overview),
        reindex,
        models,
        TrainCommand(client, jobs, authority),
        FeedbackCommand(overview),
        digest,
        channel,
        forget,
        AuditCommand(authority.audit),
    )
    Command(authority, subcommands).listen(app)
    for part in (reindex, models, forget, channel):
        part.listen(app)
    Home(statistics, people, forgetting, overview, unanswered, permalinks, authority).listen(app)
