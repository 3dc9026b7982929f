"""The Bolt app with every listener, for one workspace or several, over Socket Mode or HTTP."""

from __future__ import annotations

from typing import Any

from slack_bolt import App, BoltContext
from slack_sdk import WebClient

from bot.answering.pipeline import Pipeline
from bot.domain.settings import Settings, SlackTable
from bot.jobs.durable import Jobs
from bot.records.database import Database
from bot.records.installations import Installations, OAuthStates, TokenCipher
from bot.slack.connection.clients import ServingExecutor, serve, tokenless_client, web_client
from bot.slack.connection.manifest import SCOPES
from bot.slack.connection.oauth import States, Workspaces, oauth_settings
from bot.slack.connection.tokens import app_token_explained
from bot.slack.connection.transport import HttpTransport, SocketTransport, Transport, close_socket
from bot.slack.listeners.registration import register_listeners
from bot.telemetry.health import Health
from indexer.index import Index

__all__ = ["SlackBot", "close_socket"]

_LISTENER_THREADS = 10


class SlackBot:
    """Lorebot in Slack. ``connect`` begins answering, ``close`` ends it."""

    def __init__(
        self,
        settings: Settings,
        index: Index,
        pipeline: Pipeline,
        database: Database,
        jobs: Jobs,
        health: Health,
    ) -> None:
        """Raises BotSettingsError where the address for HTTP, or a key, cannot be used."""
        slack = settings.slack
        app, client = _app(slack, database)
        register_listeners(app, client, settings, index, pipeline, database, jobs, health)
        self.transport = _transport(app, slack)

    def connect(self) -> None:
        """From now on events arrive. Raises SlackError."""
        with app_token_explained():
            self.transport.connect()

    def close(self) -> None:
        self.transport.close()


def open_client(slack: SlackTable, database: Database) -> WebClient:
    """For a process that takes no events; it follows the workspace that is served."""
    if not slack.is_distributed:
        return web_client(slack)
    return web_client(slack, _workspaces(slack, database, tokenless_client(slack)).token_of)


def _app(slack: SlackTable, database: Database) -> tuple[App, WebClient]:
    """The app, and the client for everything that happens outside of listeners."""
    # Slack's receipt goes out only after a listener has stored its event: a crash before that
    # makes Slack send the event again.
    options: dict[str, Any] = {
        "process_before_response": True,
        "signing_secret": slack.signing_secret.get_secret_value(),
        "listener_executor": ServingExecutor(_LISTENER_THREADS),
    }
    if not slack.is_distributed:
        client = web_client(slack)
        return App(client=client, **options), client
    tokenless = tokenless_client(slack)
    workspaces = _workspaces(slack, database, tokenless)
    oauth = oauth_settings(slack, workspaces, States(OAuthStates(database)), SCOPES)
    app = App(client=tokenless, oauth_settings=oauth, **options)
    app.use(_serve_workspace)
    app.enable_token_revocation_listeners()
    return app, web_client(slack, workspaces.token_of)


def _workspaces(slack: SlackTable, database: Database, tokenless: WebClient) -> Workspaces:
    return Workspaces(Installations(database, TokenCipher(slack.keys)), tokenless, slack)


def _serve_workspace(context: BoltContext, next_: Any) -> None:
    installed_by = context.enterprise_id if context.is_enterprise_install else context.team_id
    serve(installed_by or "")
    next_()


def _transport(app: App, slack: SlackTable) -> Transport:
    if slack.mode == "http":
        return HttpTransport(app, slack.listen)
    return SocketTransport(app, slack.app_token.get_secret_value())
