"""The people's side of the app, put together: where they ask, and how they answer back."""

from __future__ import annotations

from slack_bolt import App
from slack_sdk import WebClient

from bot.answering.pipeline import Pipeline
from bot.jobs.durable import Jobs
from bot.records.answers import Answers
from bot.records.channels import Channels, People
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.records.threads import Escalations, Threads
from bot.records.turns import Turns
from bot.slack.listeners.ask_about import AskAbout
from bot.slack.listeners.ask_command import AskCommand
from bot.slack.listeners.asking import Asking
from bot.slack.listeners.escalation import Escalating
from bot.slack.listeners.feedback import Feedback
from bot.slack.rendering.phrases import phrases_for
from bot.slack.rendering.spoken import Spoken
from bot.slack.replies.attachments import Attachments
from bot.slack.replies.audience import Audiences
from bot.slack.replies.questions import Questions
from bot.slack.replies.running import Running
from indexer.settings import ExtractionTable


def register_listeners(
    app: App,
    client: WebClient,
    pipeline: Pipeline,
    database: Database,
    jobs: Jobs,
    limits: ExtractionTable,
) -> None:
    """Register every listener and job; before the jobs are launched."""
    phrases_for("")  # reads the recogniser of languages now, while nobody waits
    answers, channels = Answers(database), Channels(database)
    corrections = Corrections(database)
    spoken = Spoken(channels, People(database))
    audiences = Audiences(client)
    running = Running(pipeline.new_cancellation)
    attachments = Attachments(client, limits)
    questions = Questions(
        client,
        pipeline,
        answers,
        channels,
        audiences,
        attachments,
        spoken,
        running,
        Turns(database),
        jobs,
    )
    escalating = Escalating(
        client, answers, corrections, Escalations(database), channels, spoken, jobs
    )
    Asking(client, questions, Threads(database), channels, escalating, spoken).listen(app)
    AskCommand(client, questions, answers, audiences, spoken, jobs).listen(app)
    AskAbout(client, questions, spoken).listen(app)
    Feedback(client, answers, Votes(database), corrections, spoken).listen(app)
    escalating.listen(app)
    running.listen(app)
