"""Slack's Web API, counted: calls, what came to nothing, and what was tried again."""

from __future__ import annotations

from typing import Any

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

from bot.telemetry.counters import SLACK_CALLS, SLACK_ERRORS, SLACK_RETRIES, word


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


class _Counted(RetryHandler):
    _reason = ""

    def prepare_for_next_attempt(self, *, request: HttpRequest, **known: Any) -> None:
        method = request.url.partition("?")[0].rpartition("/")[2]
        SLACK_RETRIES.labels(word(method), self._reason).inc()
        super().prepare_for_next_attempt(request=request, **known)


class RetriedWhenCut(_Counted, ConnectionErrorRetryHandler):
    _reason = "connection"


class RetriedWhenLimited(_Counted, RateLimitErrorRetryHandler):
    _reason = "rate_limited"


class RetriedWhenBroken(_Counted, ServerErrorRetryHandler):
    _reason = "server_error"
