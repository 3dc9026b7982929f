"""Who will read an answer: asked of Slack, cached for two minutes, refused to guests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.domain.errors import LorebotError
from bot.domain.values import Asked
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.connection.clients import without_retries
from bot.slack.rendering.phrases import phrases_in
from indexer.documents import PUBLIC, Audience

_log = logging.getLogger(__name__)

_SECONDS = 120.0
_PAGE = 200
NOT_OURS = ("is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted")
"""What Slack says of accounts that are no full members of this workspace."""


class Refused(LorebotError):
    """This person may not ask, or not here; ``phrase`` names the one of Phrases that says so."""

    def __init__(self, phrase: str) -> None:
        super().__init__(getattr(phrases_in(), phrase))
        self.phrase = phrase


class Audiences:
    """Resolves the readers of an answer. Safe from several threads."""

    def __init__(self, client: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._quick = without_retries(client)
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], tuple[float, Any]] = {}

    def readers(self, asked: Asked) -> Audience:
        """In a channel, what EVERYONE there may see; in a direct message, what the asker may.

        Raises Refused for guests, for people of other organisations and in channels shared with
        them, and SlackCallFailed where Slack cannot say: unknown is never public.
        """
        self.check(asked.asker, asked.channel, is_direct=asked.is_direct, is_shared=asked.is_shared)
        if not asked.is_direct:
            return Audience.of(PUBLIC, f"slack_channel:{asked.channel}")
        own = Audience.of(PUBLIC, f"slack_user:{asked.asker}")
        try:
            channels = self._cached("channels", asked.asker, self._channels_of)
        except SlackCallFailed as error:
            _log.warning("%s Answering from public documents alone.", error)
            return own
        return Audience(own.principals | {f"slack_channel:{joined}" for joined in channels})

    def check(
        self,
        person: str,
        channel: str,
        *,
        is_direct: bool,
        is_shared: bool | None = None,
        quickly: bool = False,
    ) -> None:
        """Who may ask here, and so do anything else here: the one check of every act of a person.

        ``is_shared`` is as the event told, None where it did not: then Slack is asked. ``quickly``
        is for listeners, whose receipt Slack waits for: nothing is tried again. Raises Refused
        and SlackCallFailed as ``readers`` does.
        """
        client = self._quick if quickly else self._client
        if self._cached("guest", person, lambda user: _is_guest(client, user)):
            raise Refused("guest")
        if is_shared is None and not is_direct:
            is_shared = self._cached("shared", channel, lambda one: _ask_if_shared(client, one))
        if is_shared:
            raise Refused("shared_channel")

    def _cached(self, kind: str, key: str, ask: Callable[[str], Any]) -> Any:
        now = self._clock()
        with self._lock:
            known = self._cache.get((kind, key))
        if known and now - known[0] < _SECONDS:
            return known[1]
        value = ask(key)
        with self._lock:
            self._cache[(kind, key)] = (now, value)
        return value

    def _channels_of(self, user: str) -> tuple[str, ...]:
        """Every channel a person is in, to the last page."""
        with slack_call("list a person's channels"):
            pages = self._client.users_conversations(
                user=user, types="public_channel,private_channel", limit=_PAGE
            )
            return tuple(channel["id"] for page in pages for channel in page["channels"])


def _is_guest(client: WebClient, user: str) -> bool:
    with slack_call("say who is asking"):
        found = client.users_info(user=user)["user"]
    return any(found.get(flag) for flag in NOT_OURS)


def _ask_if_shared(client: WebClient, channel: str) -> bool:
    with slack_call("describe the channel"):
        found = client.conversations_info(channel=channel)["channel"]
    return bool(found.get("is_ext_shared") or found.get("is_pending_ext_shared"))
