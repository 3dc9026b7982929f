"""The Bolt app in Socket Mode, with every listener."""

from __future__ import annotations

import logging
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

_log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 15


class SlackBot:
    """Lorebot in one workspace. ``connect`` begins answering, ``close`` ends it."""

    def __init__(
        self, settings: SlackTable, pipeline: Pipeline, answers: Answers, votes: Votes, jobs: Jobs
    ) -> None:
        """Checks the tokens with Slack; raises SlackError with what to do."""
        bot_token = settings.bot_token.get_secret_value()
        self._app_token = settings.app_token.get_secret_value()
        _require(
            bot_token, "xoxb-", "LOREBOT_SLACK_BOT_TOKEN", "Install App › Bot User OAuth Token"
        )
        _require(
            self._app_token,
            "xapp-",
            "LOREBOT_SLACK_APP_TOKEN",
            "Basic Information › App-Level Tokens, scope connections:write",
        )
        client = WebClient(token=bot_token, base_url=settings.api_url, timeout=_TIMEOUT_SECONDS)
        client.retry_handlers += [
            RateLimitErrorRetryHandler(max_retry_count=2),
            ServerErrorRetryHandler(max_retry_count=2),
        ]
        _check(client, settings.api_url)
        # The receipt goes out only after a listener has kept its event: a crash before that
        # makes Slack send the event again.
        app = App(
            client=client, process_before_response=True, raise_error_for_unhandled_request=False
        )
        questions = Questions(pipeline, answers, Audiences(client), Replies(client, answers), jobs)
        questions.listen(app)
        feedback.listen(app, votes)
        self._handler = SocketModeHandler(app, self._app_token)

    def connect(self) -> None:
        """Open the socket; from now on events arrive. Raises SlackError."""
        try:
            self._handler.connect()  # type: ignore[no-untyped-call]
        except SlackApiError as error:
            raise SlackError(
                f"Slack refuses the app token ({error.response.get('error')}). Create one with the "
                "scope connections:write under Basic Information › App-Level Tokens and set it as "
                "LOREBOT_SLACK_APP_TOKEN."
            ) from error
        except (URLError, OSError) as error:
            raise SlackError(f"Slack's socket cannot be reached: {error}") from error

    def close(self) -> None:
        self._handler.close()  # type: ignore[no-untyped-call]


def _require(token: str, prefix: str, variable: str, place: str) -> None:
    if not token:
        raise SlackError(
            f"No Slack token: set {variable} (it begins with {prefix}; you find it under {place}). "
            "To try Lorebot without Slack, run `lorebot demo`."
        )
    if not token.startswith(prefix):
        raise SlackError(f"{variable} does not begin with {prefix}; take the one under {place}.")


def _check(client: WebClient, api_url: str) -> None:
    try:
        client.auth_test()
    except SlackApiError as error:
        raise SlackError(
            f"Slack refuses the bot token ({error.response.get('error')}). Take the Bot User OAuth "
            "Token under Install App and set it as LOREBOT_SLACK_BOT_TOKEN."
        ) from error
    except (URLError, OSError) as error:
        raise SlackError(
            f"Slack cannot be reached at {api_url}: {error}. Check the network and the proxy."
        ) from error
