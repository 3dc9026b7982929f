"""Slack's failures as our own errors: with a reason, without the request that holds the token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from slack_sdk.errors import SlackApiError

from bot.errors import RecordsError, SlackError

_TEMPORARY = {"ratelimited", "internal_error", "fatal_error", "service_unavailable"}


class SlackCallFailed(SlackError):
    """A Web API call failed. ``reason`` is Slack's word for it, such as ``channel_not_found``."""

    def __init__(self, sentence: str, reason: str = "", *, temporary: bool = False) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.temporary = temporary


@contextmanager
def slack_call(purpose: str) -> Iterator[None]:
    """Turn whatever a call raises into SlackCallFailed; ``purpose`` reads "post the answer"."""
    try:
        yield
    except SlackApiError as error:
        reason = str(error.response.get("error", "unknown"))
        status = error.response.status_code
        raise SlackCallFailed(
            f"Slack would not {purpose} ({reason}).",
            reason,
            temporary=status == 429 or status >= 500 or reason in _TEMPORARY,
        ) from None
    except (URLError, ConnectionError, TimeoutError) as error:
        raise SlackCallFailed(
            f"Slack could not be reached to {purpose} ({error}).", temporary=True
        ) from None


def temporary(error: BaseException) -> bool:
    """Whether trying again may help: Slack or the network is away, or the records are busy."""
    return isinstance(error, RecordsError) or (
        isinstance(error, SlackCallFailed) and error.temporary
    )
