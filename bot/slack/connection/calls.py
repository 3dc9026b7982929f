"""Maps Slack's errors to our own: with a reason, without the request that holds the token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from slack_sdk.errors import SlackApiError

from bot.domain.errors import RecordsError, SlackError

_TEMPORARY = {"ratelimited", "internal_error", "fatal_error", "service_unavailable"}


class SlackCallFailed(SlackError):
    """A Web API call failed. ``reason`` is Slack's word for it, such as ``channel_not_found``.

    ``uncertain`` says that it may have been carried out all the same; ``retry_after`` is in
    seconds, 0 where Slack did not say.
    """

    def __init__(
        self,
        sentence: str,
        reason: str = "",
        *,
        temporary: bool = False,
        uncertain: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.temporary = temporary
        self.uncertain = uncertain
        self.retry_after = retry_after


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
            temporary=is_temporary(error),
            uncertain=status >= 500 or reason in _TEMPORARY - {"ratelimited"},
            retry_after=_seconds(error.response.headers),
        ) from None
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise SlackCallFailed(
            f"Slack could not be reached to {purpose} ({cause(error)}).",
            temporary=True,
            uncertain=True,
        ) from None


def temporary(error: BaseException) -> bool:
    """Whether trying again may help: Slack or the network is away, or the records are busy."""
    return isinstance(error, RecordsError) or (
        isinstance(error, SlackCallFailed) and error.temporary
    )


def is_temporary(error: SlackApiError) -> bool:
    """Whether Slack says that it could not, rather than that it would not."""
    status = error.response.status_code
    return status == 429 or status >= 500 or error.response.get("error") in _TEMPORARY


def cause(error: Exception) -> object:
    """Why Slack could not be reached; a URLError itself puts it between angle brackets."""
    found = error.reason if isinstance(error, URLError) else error
    return (found.strerror if isinstance(found, OSError) else "") or found


def _seconds(headers: Mapping[str, Any]) -> float:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            given = value[0] if isinstance(value, list) else value
            return float(given) if str(given).replace(".", "", 1).isdigit() else 0.0
    return 0.0
