"""Who will read an answer, asked of Slack itself and remembered for two minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.errors import LorebotError
from bot.slack.calls import slack_call
from indexer.documents import PUBLIC, Audience

_SECONDS = 120.0
_PAGE = 200


class Refused(LorebotError):
    """This person may not ask, or not here; the message says so to them."""


class Audiences:
    """Resolves the readers of an answer. Safe from several threads."""

    def __init__(self, client: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    def readers(self, channel: str, asker: str) -> Audience:
        """In a channel, what EVERYONE there may see; in a direct message, what the asker may.

        Raises Refused for guests, for people of other organisations and in channels shared with
        them, and SlackCallFailed where Slack cannot say: unknown is never public.
        """
        person = self._remember("person", asker, self._person)
        if person["is_guest"]:
            raise Refused("I answer only full members of this workspace, not guests or visitors.")
        place = self._remember("channel", channel, self._channel)
        if place["is_shared"]:
            raise Refused(
                "This channel is shared with another organisation, so I do not answer here. "
                "Ask me in a direct message."
            )
        if not place["is_direct"]:
            return Audience.of(PUBLIC, f"slack_channel:{channel}")
        channels = self._remember("channels of", asker, self._channels_of)
        return Audience.of(
            PUBLIC, f"slack_user:{asker}", *(f"slack_channel:{joined}" for joined in channels)
        )

    def _remember(self, kind: str, key: str, ask: Callable[[str], Any]) -> Any:
        now = self._clock()
        with self._lock:
            known = self._known.get((kind, key))
        if known and now - known[0] < _SECONDS:
            return known[1]
        value = ask(key)
        with self._lock:
            self._known[(kind, key)] = (now, value)
        return value

    def _person(self, user: str) -> dict[str, bool]:
        with slack_call("say who is asking"):
            found = self._client.users_info(user=user)["user"]
        guest = any(
            found.get(flag)
            for flag in ("is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted")
        )
        return {"is_guest": guest}

    def _channel(self, channel: str) -> dict[str, bool]:
        with slack_call("describe the channel"):
            found = self._client.conversations_info(channel=channel)["channel"]
        return {
            "is_direct": bool(found.get("is_im")),
            "is_shared": bool(found.get("is_ext_shared") or found.get("is_pending_ext_shared")),
        }

    def _channels_of(self, user: str) -> tuple[str, ...]:
        """Every channel a person is in, to the last page."""
        with slack_call("list a person's channels"):
            pages = self._client.users_conversations(
                user=user, types="public_channel,private_channel", limit=_PAGE
            )
            return tuple(channel["id"] for page in pages for channel in page["channels"])
