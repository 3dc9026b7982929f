"""Slack Web API clients: counted and retried, for one workspace or for the one being served."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.http_retry.handler import RetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.web import SlackResponse

from bot.domain.settings import SlackTable
from bot.telemetry.counters import SLACK_CALLS, SLACK_ERRORS, SLACK_RETRIES, word

Result = TypeVar("Result")

_TIMEOUT_SECONDS = 15
_RETRIES = 2

_team: ContextVar[str] = ContextVar("team", default="")


def current_team() -> str:
    """The id of the workspace that this thread serves, or ""."""
    return _team.get()


def serve(team: str) -> None:
    """From now on this thread serves that workspace, until it serves another."""
    _team.set(team)


@contextmanager
def serving(team: str) -> Iterator[None]:
    """Serve a workspace within the block."""
    before = _team.set(team)
    try:
        yield
    finally:
        _team.reset(before)


class ServingExecutor(ThreadPoolExecutor):
    """Threads that serve the workspace which the submitting thread serves."""

    def submit(
        self, function: Callable[..., Result], /, *arguments: Any, **options: Any
    ) -> Future[Result]:
        return super().submit(copy_context().run, function, *arguments, **options)


class CountingClient(WebClient):
    """Each call counts once, however often it is tried."""

    def api_call(self, api_method: str, **options: Any) -> SlackResponse:
        method = word(api_method)
        SLACK_CALLS.labels(method).inc()
        try:
            return super().api_call(api_method, **options)
        except SlackApiError as error:
            SLACK_ERRORS.labels(method, word(error.response.get("error", "unknown"))).inc()
            raise
        except Exception as error:
            SLACK_ERRORS.labels(method, word(type(error).__name__)).inc()
            raise


class TeamClient(CountingClient):
    """Calls Slack with the token of the workspace that the calling thread serves."""

    def __init__(self, token_of: Callable[[str], str], **options: Any) -> None:
        """``token_of`` raises SlackError where a workspace has not installed the app."""
        super().__init__(**options)
        self._token_of = token_of

    @property
    def token(self) -> str | None:
        team = current_team()
        return self._token_of(team) if team else None

    @token.setter
    def token(self, token: str | None) -> None:
        """The SDK sets one when it is built; this client has none of its own."""


def web_client(settings: SlackTable, token_of: Callable[[str], str] | None = None) -> WebClient:
    """With the token of the settings, or with that of the workspace being served."""
    options: dict[str, Any] = {"base_url": settings.api_url, "timeout": _TIMEOUT_SECONDS}
    if token_of is not None:
        return _with_retries(TeamClient(token_of, **options))
    token = settings.bot_token.get_secret_value()
    return _with_retries(CountingClient(token=token, **options))


def tokenless_client(settings: SlackTable) -> WebClient:
    """For what is asked as the app, not as a workspace's bot: installing and rotating."""
    return _with_retries(CountingClient(base_url=settings.api_url, timeout=_TIMEOUT_SECONDS))


def without_retries(client: WebClient) -> WebClient:
    """For calls that are better left out than late."""
    return _with_handlers(copy.copy(client))


def retrying_only_refusals(client: WebClient) -> WebClient:
    """For calls that must not be carried out twice: what got no answer may have been."""
    return _with_handlers(copy.copy(client), _RetryOnRateLimit(max_retry_count=_RETRIES))


def _with_retries(client: WebClient) -> WebClient:
    return _with_handlers(
        client,
        _RetryOnConnectionError(),
        _RetryOnRateLimit(max_retry_count=_RETRIES),
        _RetryOnServerError(max_retry_count=_RETRIES),
    )


def _with_handlers(client: WebClient, *handlers: RetryHandler) -> WebClient:
    client.retry_handlers = list(handlers)
    return client


class _Counted(RetryHandler):
    """Counts each retry by its reason."""

    _reason = ""

    def prepare_for_next_attempt(self, *, request: HttpRequest, **known: Any) -> None:
        method = request.url.partition("?")[0].rpartition("/")[2]
        SLACK_RETRIES.labels(word(method), self._reason).inc()
        super().prepare_for_next_attempt(request=request, **known)


class _RetryOnConnectionError(_Counted, ConnectionErrorRetryHandler):
    _reason = "connection"


class _RetryOnRateLimit(_Counted, RateLimitErrorRetryHandler):
    _reason = "rate_limited"


class _RetryOnServerError(_Counted, ServerErrorRetryHandler):
    _reason = "server_error"
