"""Checks the tokens and secrets of Slack before the bot starts, by asking Slack where possible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPException

from slack_sdk.errors import SlackApiError

from bot.domain.errors import SlackError
from bot.domain.settings import SlackTable
from bot.records.installations import TokenCipher
from bot.slack.connection.calls import SlackCallFailed, cause, is_temporary
from bot.slack.connection.clients import web_client

_BOT_TOKEN_PLACE = "Install App › Bot User OAuth Token"
_APP_TOKEN_PLACE = "Basic Information › App-Level Tokens, with the scope connections:write"
_CREDENTIALS = "Basic Information › App Credentials"


def check_tokens(settings: SlackTable) -> None:
    """Raises SlackError or BotSettingsError with what to do; asks Slack about each token."""
    if settings.mode == "http":
        _require(settings.signing_secret.get_secret_value(), "SIGNING_SECRET", _CREDENTIALS)
    if settings.is_distributed:
        _check_installable(settings)
        return
    bot_token = settings.bot_token.get_secret_value()
    _require(bot_token, "BOT_TOKEN", _BOT_TOKEN_PLACE, "xoxb-")
    app_token = settings.app_token.get_secret_value()
    if settings.mode == "socket":
        _require(app_token, "APP_TOKEN", _APP_TOKEN_PLACE, "xapp-")
    client = web_client(settings)
    with explained("bot token", "LOREBOT_SLACK_BOT_TOKEN", _BOT_TOKEN_PLACE):
        client.auth_test()
    if settings.mode == "socket":
        with app_token_explained():
            client.apps_connections_open(app_token=app_token)


def _check_installable(settings: SlackTable) -> None:
    _require(settings.client_secret.get_secret_value(), "CLIENT_SECRET", _CREDENTIALS)
    _require(settings.url, "URL", "the address in front of [slack] listen", "http")
    _require(settings.token_keys.get_secret_value(), "TOKEN_KEYS", "`lorebot token-key`")
    _require(" ".join(settings.workspaces), "WORKSPACES", "each workspace's address, T…")
    TokenCipher(settings.keys)


def app_token_explained() -> AbstractContextManager[None]:
    return explained("app token", "LOREBOT_SLACK_APP_TOKEN", _APP_TOKEN_PLACE)


@contextmanager
def explained(token: str, variable: str, place: str) -> Iterator[None]:
    """Turns Slack's refusal of a token into a SlackError that says where the right one is.

    SlackCallFailed where Slack is away, of which the token is not guilty.
    """
    try:
        yield
    except SlackApiError as error:
        reason = str(error.response.get("error"))
        if is_temporary(error):
            raise SlackCallFailed(
                f"Slack could not check the {token} ({reason}). Try again in a few minutes.",
                reason,
                temporary=True,
            ) from None
        raise SlackError(
            f"Slack refuses the {token} ({reason}). Take the one under "
            f"{place} and set it as {variable}."
        ) from None
    except (HTTPException, OSError) as error:  # a URLError is an OSError
        raise SlackCallFailed(
            f"Slack cannot be reached ({cause(error)}). "
            "Check the network, the proxy and [slack] api_url.",
            temporary=True,
        ) from None


def _require(given: str, key: str, place: str, prefix: str = "") -> None:
    variable = f"LOREBOT_SLACK_{key}"
    if not given:
        what = "token" if "TOKEN" in key and prefix else key.lower().replace("_", " ")
        begins = f"it begins with {prefix}; " if prefix else ""
        raise SlackError(
            f"No Slack {what}: set {variable} ({begins}you find it under {place}). "
            "To try Lorebot without Slack, run `lorebot demo`."
        )
    if not given.startswith(prefix):
        raise SlackError(f"{variable} does not begin with {prefix}; take the one under {place}.")
