"""The Bolt app in Socket Mode, with every listener."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import (
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)

from bot.answering.pipeline import Pipeline
from bot.errors import SlackError
from bot.jobs import Jobs
from bot.records.answers import Answers
from bot.records.votes import Votes
from bot.settings import SlackTable
from bot.slack import feedback
from bot.slack.audience import Audiences
from bot.slack.questions import Questions
from bot.slack.reply import Replies

_TIMEOUT_SECONDS = 15
_BOT_TOKEN_PLACE = "Install App › Bot User OAuth Token"
_APP_TOKEN_PLACE = "Basic Information › App-Level Tokens, with the scope connections:write"


class SlackBot:
    """Lorebot in one workspace. ``connect`` begins answering, ``close`` ends it."""

    def __init__(
        self, settings: SlackTable, pipeline: Pipeline, answers: Answers, votes: Votes, jobs: Jobs
    ) -> None:
        client = _client(settings)
        # The receipt goes out only after a listener has kept its event: a crash before that
        # makes Slack send the event again.
        app = App(client=client, process_before_response=True)
        replies = Replies(client, answers)
        questions = Questions(client, pipeline, answers, Audiences(client), replies, jobs)
        questions.listen(app)
        feedback.listen(app, votes)
        self._handler = SocketModeHandler(app, settings.app_token.get_secret_value())

    def connect(self) -> None:
        """Open the socket; from now on events arrive. Raises SlackError."""
        with _explained("app token", "LOREBOT_SLACK_APP_TOKEN", _APP_TOKEN_PLACE):
            self._handler.connect()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        close_socket(self._handler)


def close_socket(handler: SocketModeHandler) -> None:
    """Close for good, also when the server hangs up at the same moment.

    slack_sdk 3.47 then stumbles over its own socket, which is None by the second try.
    """
    try:
        handler.close()  # type: ignore[no-untyped-call]
    except AttributeError:
        handler.close()  # type: ignore[no-untyped-call]


def check_tokens(settings: SlackTable) -> None:
    """Ask Slack whether it accepts both tokens; raises SlackError with what to do."""
    bot_token = settings.bot_token.get_secret_value()
    app_token = settings.app_token.get_secret_value()
    _require(bot_token, "xoxb-", "LOREBOT_SLACK_BOT_TOKEN", _BOT_TOKEN_PLACE)
    _require(app_token, "xapp-", "LOREBOT_SLACK_APP_TOKEN", _APP_TOKEN_PLACE)
    client = _client(settings)
    with _explained("bot token", "LOREBOT_SLACK_BOT_TOKEN", _BOT_TOKEN_PLACE):
        client.auth_test()
    with _explained("app token", "LOREBOT_SLACK_APP_TOKEN", _APP_TOKEN_PLACE):
        client.apps_connections_open(app_token=app_token)


def _client(settings: SlackTable) -> WebClient:
    client = WebClient(
        token=settings.bot_token.get_secret_value(),
        base_url=settings.api_url,
        timeout=_TIMEOUT_SECONDS,
    )
    client.retry_handlers += [
        RateLimitErrorRetryHandler(max_retry_count=2),
        ServerErrorRetryHandler(max_retry_count=2),
    ]
    return client


def _require(token: str, prefix: str, variable: str, place: str) -> None:
    if not token:
        raise SlackError(
            f"No Slack token: set {variable} (it begins with {prefix}; you find it under {place}). "
            "To try Lorebot without Slack, run `lorebot demo`."
        )
    if not token.startswith(prefix):
        raise SlackError(f"{variable} does not begin with {prefix}; take the one under {place}.")


@contextmanager
def _explained(token: str, variable: str, place: str) -> Iterator[None]:
    try:
        yield
    except SlackApiError as error:
        raise SlackError(
            f"Slack refuses the {token} ({error.response.get('error')}). Take the one under "
            f"{place} and set it as {variable}."
        ) from None
    except (URLError, OSError) as error:
        raise SlackError(
            f"Slack cannot be reached ({error}). Check the network, the proxy and [slack] api_url."
        ) from None
