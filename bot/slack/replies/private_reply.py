"""The answer to a slash command, which only the asker sees."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from bot.domain.values import Asked, Stage
from bot.slack.connection.calls import slack_call
from bot.slack.rendering.blocks import Rendered
from indexer.documents import Passage

_log = logging.getLogger(__name__)


class PrivateReply:
    """Sent to the command's ``response_url``, which works where the bot is no member, too; posted
    by itself where that has expired.
    """

    def __init__(self, client: WebClient, asked: Asked) -> None:
        self._client = client
        self._asked = asked
        self.ts = ""

    def begin(self) -> str:
        """Nothing: the command's receipt has said already that work has begun."""
        return ""

    def progress(self, stage: Stage, passages: Sequence[Passage]) -> None:
        """Nothing: a response_url may be used five times only."""

    def show(self, text: str) -> None:
        """Nothing, for the same reason."""

    def complete(self, rendered: Rendered) -> None:
        """Raises SlackCallFailed."""
        if self._asked.response_url and respond(self._asked.response_url, rendered):
            return
        with slack_call("post a private answer"):
            self._client.chat_postEphemeral(
                channel=self._asked.channel,
                user=self._asked.asker,
                text=rendered.text,
                blocks=rendered.blocks,
            )


def respond(response_url: str, rendered: Rendered, *, replace: bool = False) -> bool:
    """Say something to one person by a ``response_url``; False where Slack does not take it."""
    try:
        response = WebhookClient(response_url).send(
            text=rendered.text,
            blocks=rendered.blocks,
            response_type="ephemeral",
            replace_original=replace,
            unfurl_links=False,
            unfurl_media=False,
        )
    except (URLError, OSError) as error:
        _log.warning("A response_url could not be reached: %s", error)
        return False
    if response.status_code != 200:
        _log.warning("A response_url was refused with status %s.", response.status_code)
    return response.status_code == 200
