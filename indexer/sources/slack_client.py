"""A Slack Web API client for the history: pagination, retries, errors as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)

from indexer.errors import DocumentError, SourceError

Payload = dict[str, Any]
"""A JSON object in Slack's own shape."""

_PAGE = 200
_RATE_LIMIT_RETRIES = 20
"""How often one call waits as long as a 429 response asks."""
_TIMEOUT = 30
_GONE = {"thread_not_found", "message_not_found", "user_not_found", "user_not_visible"}
_TOKEN_ERRORS = {"not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired"}
_NOT_INSIDE = {"not_in_channel", "channel_not_found"}


class SlackClient:
    """The calls that the history needs. Every method raises SourceError when Slack refuses."""

    def __init__(self, source: str, token: str, api_url: str) -> None:
        self._source = source
        self._token = token
        self._hosts = {"files.slack.com", "slack-files.com", urlsplit(api_url).netloc}
        self._client = WebClient(
            token,
            base_url=api_url,
            timeout=_TIMEOUT,
            retry_handlers=[
                ConnectionErrorRetryHandler(max_retry_count=2),
                ServerErrorRetryHandler(max_retry_count=2),
                RateLimitErrorRetryHandler(max_retry_count=_RATE_LIMIT_RETRIES),
            ],
        )
        self._names: dict[str, str] = {}

    def own_ids(self) -> frozenset[str]:
        """Of the bot itself: as a user and as a bot."""
        answer = self._call("auth.test", self._client.auth_test)
        return frozenset({str(answer["user_id"]), str(answer["bot_id"])})

    def channels(self) -> Iterator[Payload]:
        """Those the bot is a member of, archived ones included."""
        types = "public_channel,private_channel"
        return self._pages("users.conversations", "channels", types=types)

    def history(self, channel: str) -> Iterator[Payload]:
        """A channel's messages without replies, the newest first."""
        return self._pages("conversations.history", "messages", channel=channel)

    def replies(self, channel: str, thread: str) -> list[Payload]:
        """A thread's replies, the oldest first; none when the thread has gone meanwhile."""
        try:
            pages = self._pages("conversations.replies", "messages", channel=channel, ts=thread)
            found = {message["ts"]: message for message in pages}
        except _Gone:
            return []
        # Every page of a thread may begin with the root.
        return [found[ts] for ts in sorted(found, key=float) if ts != thread]

    def permalink(self, channel: str, ts: str) -> str:
        """Empty when the message has gone meanwhile."""
        try:
            answer = self._call(
                "chat.getPermalink",
                lambda: self._client.chat_getPermalink(channel=channel, message_ts=ts),
                channel,
            )
        except _Gone:
            return ""
        return str(answer["permalink"])

    def name(self, user: str) -> str:
        """A user's display name; asked for once per user."""
        if user not in self._names:
            try:
                answer = self._call("users.info", lambda: self._client.users_info(user=user))
            except _Gone:
                self._names[user] = "somebody"
            else:
                person = answer["user"]
                profile = person.get("profile", {})
                given = (profile.get("display_name"), person.get("real_name"), person.get("name"))
                self._names[user] = next((each for each in given if each), user)
        return self._names[user]

    def download(self, address: str, most: int) -> bytes:
        """A file's content. Raises DocumentError, also where it has more than ``most`` bytes."""
        parts = urlsplit(address)
        if parts.netloc not in self._hosts:
            raise DocumentError("it is not kept by Slack; index it where it is.")
        request = Request(address, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
        try:
            with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT) as response:
                content: bytes = response.read(most + 1)
                is_page = response.headers.get_content_type() == "text/html"
        except HTTPError as error:
            error.close()
            if error.code in (302, 401, 403):
                raise DocumentError(_NO_FILES) from error
            raise DocumentError(f"Slack answers {error.code}; try again later.") from error
        except (OSError, HTTPException) as error:
            raise DocumentError(f"it cannot be downloaded ({error}); try again later.") from error
        if is_page and not parts.path.lower().endswith((".html", ".htm")):
            raise DocumentError(_NO_FILES)
        if len(content) > most:
            raise DocumentError(f"it is larger than {most // 2**20} MiB; split it.")
        return content

    def _pages(self, method: str, field: str, **arguments: str) -> Iterator[Payload]:
        cursor = ""
        while True:
            parameters = {**arguments, "limit": _PAGE, **({"cursor": cursor} if cursor else {})}
            call = partial(self._client.api_call, method, params=parameters)
            answer = self._call(method, call, arguments.get("channel", ""))
            yield from answer[field]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def _call(self, method: str, call: Callable[[], Any], channel: str = "") -> Any:
        try:
            return call()
        except SlackApiError as error:
            code = str(error.response.get("error", "")) or f"HTTP {error.response.status_code}"
            if code in _GONE:
                raise _Gone from error
            needed = str(error.response.get("needed", ""))
            advice = _advice(code, needed)
            where = f" for channel {channel}" if channel else ""
            raise SourceError(
                f"Source {self._source}: Slack refuses {method}{where} ({code}); {advice}."
            ) from error
        except (SlackClientError, OSError, HTTPException) as error:
            raise SourceError(
                f"Source {self._source}: Slack cannot be reached ({error}); try again later."
            ) from error


class _Gone(Exception):
    """The requested object has been deleted since it was listed."""


class _NoRedirects(HTTPRedirectHandler):
    """Slack redirects to its sign-in page where access is denied; the token is not sent there."""

    def redirect_request(self, *given: Any) -> None:
        return None


_NO_FILES = (
    "Slack does not let the bot read it; add the scope files:read and install the app again."
)


def _advice(code: str, needed: str) -> str:
    if code == "missing_scope":
        return f"add the scope {needed or 'it needs'} to the app and install it again"
    if code in _NOT_INSIDE:
        return "invite the bot into the channel, or take the channel out of the settings"
    if code in _TOKEN_ERRORS:
        return "give the app's bot token (xoxb-…) as LOREBOT_SLACK_BOT_TOKEN or the source's token"
    return "try again later"
