"""Slack's Web API for this process: one workspace's client, or one that follows the workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from slack_sdk import WebClient

from bot.domain.settings import SlackTable
from bot.slack.connection.counting import (
    CountingClient,
    RetriedWhenBroken,
    RetriedWhenCut,
    RetriedWhenLimited,
)

Result = TypeVar("Result")

_TIMEOUT_SECONDS = 15

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
    """Threads that serve the workspace of whoever gave them their work."""

    def submit(
        self, function: Callable[..., Result], /, *arguments: Any, **options: Any
    ) -> Future[Result]:
        return super().submit(copy_context().run, function, *arguments, **options)


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
    """With the token of the settings, or with that of whichever workspace is served."""
    options: dict[str, Any] = {"base_url": settings.api_url, "timeout": _TIMEOUT_SECONDS}
    if token_of is not None:
        return _with_retries(TeamClient(token_of, **options))
    token = settings.bot_token.get_secret_value()
    return _with_retries(CountingClient(token=token, **options))


def tokenless_client(settings: SlackTable) -> WebClient:
    """For what is asked as the app, not as a workspace's bot: installing and rotating."""
    return _with_retries(CountingClient(base_url=settings.api_url, timeout=_TIMEOUT_SECONDS))


def _with_retries(client: WebClient) -> WebClient:
    client.retry_handlers = [
        RetriedWhenCut(),
        RetriedWhenLimited(max_retry_count=2),
        RetriedWhenBroken(max_retry_count=2),
    ]
    return client
