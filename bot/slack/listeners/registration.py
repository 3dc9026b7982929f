"""What the bot listens to in Slack, feature by feature, and what each feature works on."""

from __future__ import annotations

import re

from slack_bolt import App
from slack_sdk import WebClient

from bot.answering.pipeline import Pipeline
from bot.domain.settings import Settings
from bot.jobs.durable import Jobs
from bot.jobs.reindex import Reindexer
from bot.models.registry import Registry
from bot.records.answers import Answers
from bot.records.audit import Audit
from bot.records.channels import Channels, People
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.records.forgetting import Forgetting
from bot.records.reindexes import Reindexes
from bot.records.statistics import Statistics
from bot.records.threads import Escalations, Threads
from bot.records.turns import Turns
from bot.slack.admin.authority import Authority
from bot.slack.admin.channel_settings import SettingsCommand
from bot.slack.admin.command import Command
from bot.slack.admin.digest import DigestCommand, UnansweredQuestions
from bot.slack.admin.forget import ForgetCommand
from bot.slack.admin.models import ModelsCommand
from bot.slack.admin.overview import (
    AuditCommand,
    FeedbackCommand,
    Overview,
    SourcesCommand,
    StatusCommand,
)
from bot.slack.admin.permalinks import Permalinks
from bot.slack.admin.reindex import ReindexCommand
from bot.slack.admin.training import TrainCommand
from bot.slack.listeners.ask_about import AskAbout
from bot.slack.listeners.ask_command import AskCommand
from bot.slack.listeners.asking import Asking
from bot.slack.listeners.escalation import EscalationFlow
from bot.slack.listeners.feedback import Feedback
from bot.slack.listeners.home import Home
from bot.slack.listeners.prompts import SuggestedPrompts
from bot.slack.rendering.phrases import Phrasebook, phrases_for
from bot.slack.replies.attachments import Attachments
from bot.slack.replies.audience import Audiences
from bot.slack.replies.gate import Gate, acknowledge
from bot.slack.replies.questions import Questions
from bot.slack.replies.running import RunningAnswers
from bot.telemetry.health import Health
from indexer.index import Index


def register_listeners(
    app: App,
    client: WebClient,
    settings: Settings,
    index: Index,
    pipeline: Pipeline,
    database: Database,
    jobs: Jobs,
    health: Health,
) -> None:
    """Register every listener with ``app``, and every job with ``jobs``, before these launch.

    ``client`` is for jobs; listeners for admins use the one that Bolt hands them. Features get
    the gate in place of ``app``: no act of a person gets past its check.
    """
    audiences = Audiences(client)
    phrasebook = Phrasebook(Channels(database), People(database))
    gate = Gate(app, client, audiences, phrasebook)
    _register_for_everybody(
        gate, client, settings, index, pipeline, database, jobs, audiences, phrasebook
    )
    prompts = SuggestedPrompts(pipeline, audiences, People(database))
    _register_for_admins(gate, client, settings, index, database, jobs, health, prompts)
    _acknowledge_the_rest(app)


def _register_for_everybody(
    gate: Gate,
    client: WebClient,
    settings: Settings,
    index: Index,
    pipeline: Pipeline,
    database: Database,
    jobs: Jobs,
    audiences: Audiences,
    phrasebook: Phrasebook,
) -> None:
    phrases_for("")  # loads the language recogniser now, not while the first asker waits
    answers, channels = Answers(database), Channels(database)
    corrections = Corrections(database)
    running = RunningAnswers(pipeline.new_cancellation)
    questions = Questions(
        client,
        pipeline,
        answers,
        channels,
        audiences,
        Attachments(client, settings.extraction, index.cutting),
        phrasebook,
        running,
        Turns(database),
        jobs,
    )
    escalation = EscalationFlow(
        client, answers, corrections, Escalations(database), channels, phrasebook, jobs
    )

    # mentions, direct messages, follow-ups in threads, channels that opted in
    Asking(client, questions, Threads(database), channels, escalation, phrasebook).listen(gate)
    # /ask, and its button "Share in channel"
    AskCommand(client, questions, answers, audiences, phrasebook, jobs).listen(gate)
    # the message shortcut "Ask about this"
    AskAbout(client, questions, phrasebook).listen(gate)
    # the stop button of an answer that is being written
    running.listen(gate)
    # the thumbs under an answer, reactions, the correction form
    Feedback(client, answers, Votes(database), corrections, phrasebook).listen(gate)
    # the button "Ask a person", and what becomes of the person's reply
    escalation.listen(gate)


def _register_for_admins(
    gate: Gate,
    client: WebClient,
    settings: Settings,
    index: Index,
    database: Database,
    jobs: Jobs,
    health: Health,
    prompts: SuggestedPrompts,
) -> None:
    slack = settings.slack
    authority = Authority(slack.admins, Audit(database))
    statistics, people = Statistics(database), People(database)
    forgetting = Forgetting(database)
    registry = Registry(database, settings.models_dir)
    overview = Overview(index, health, statistics, registry, settings.model.pinned)
    permalinks = Permalinks()
    unanswered = UnansweredQuestions(statistics, permalinks)

    reindex = ReindexCommand(
        client,
        Reindexer(index, settings),
        Reindexes(database),
        jobs,
        authority,
        by_worker=settings.index.worker,
    )
    models = ModelsCommand(registry, overview, authority)
    digest = DigestCommand(
        client,
        unanswered,
        jobs,
        channel=slack.digest_channel,
        at=f"0 {slack.digest_hour} * * {slack.digest_day}",
        team=slack.workspaces[0] if slack.is_distributed else "",
    )
    sources = tuple(source.name for source in settings.sources)
    channel_settings = SettingsCommand(Channels(database), authority, sources)
    forget = ForgetCommand(forgetting, people, authority)

    # /lorebot: its subcommands, in the order in which its help lists them
    subcommands = (
        StatusCommand(overview),
        SourcesCommand(overview),
        reindex,
        models,
        TrainCommand(client, jobs, authority),
        FeedbackCommand(overview),
        digest,
        channel_settings,
        forget,
        AuditCommand(authority.audit),
    )
    Command(authority, subcommands).listen(gate)
    # the subcommands' own buttons and forms
    for subcommand in (reindex, models, channel_settings, forget):
        subcommand.listen(gate)
    # App Home
    Home(
        statistics, people, forgetting, overview, unanswered, permalinks, authority, gate, prompts
    ).listen(gate)


def _acknowledge_the_rest(app: App) -> None:
    """What no listener above takes, such as a button of an earlier version.

    Slack sends an event again and again until it is acknowledged, and Bolt would write an
    unhandled one into the log, whole.
    """
    anything = re.compile("")
    app.event(anything)(acknowledge)
    app.action(anything)(acknowledge)
    app.view(anything)(acknowledge)
    app.shortcut(anything)(acknowledge)
