"""Cursor pagination as Slack does it."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload
from bot.workspace.web_api.arguments import Arguments

Item = TypeVar("Item")


def page_of(
    items: Sequence[Item],
    arguments: Arguments,
    *,
    key: Callable[[Item], str],
    default: int = 100,
    maximum: int = 999,
) -> tuple[Sequence[Item], Payload]:
    """One page of `items` and the response fields that lead to the next.

    A cursor names the first item of the next page, so items that come meanwhile do not
    shift it.
    """
    limit = arguments.number("limit", default, maximum)
    start = _start(items, arguments.text("cursor"), key)
    end = start + limit
    cursor = _encode(key(items[end])) if end < len(items) else ""
    return items[start:end], {"response_metadata": {"next_cursor": cursor}}


def _start(items: Sequence[Item], cursor: str, key: Callable[[Item], str]) -> int:
    if not cursor:
        return 0
    try:
        wanted = base64.b64decode(cursor, validate=True).decode().removeprefix("next:")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("invalid_cursor") from None
    for index, item in enumerate(items):
        if key(item) == wanted:
            return index
    raise Refused("invalid_cursor")


def _encode(key: str) -> str:
    return base64.b64encode(f"next:{key}".encode()).decode()
