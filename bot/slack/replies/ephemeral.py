"""What one person alone sees: notes, forms, direct messages, the answer to a slash command."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from bot.domain.values import Asked, Stage
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.rendering.blocks import Block
from bot.slack.rendering.messages import SlackMessage
from indexer.documents import Passage

_log = logging.getLogger(__name__)


def post_note(
    client: WebClient, channel: str, person: str, note: SlackMessage, *, thread: str | None = None
) -> bool:
    """Post an ephemeral message; what it is about stands even if Slack will not show it."""
    try:
        with slack_call("show a note"):
            client.chat_postEphemeral(
                channel=channel, user=person, thread_ts=thread, **note.arguments
            )
    except SlackCallFailed as error:
        _log.warning("%s", error)
        return False
    return True


def post_directly(client: WebClient, person: str, note: SlackMessage) -> None:
    """Into the direct messages with a person. Raises SlackCallFailed."""
    with slack_call("tell the asker"):
        client.chat_postMessage(channel=person, unfurl_links=False, **note.arguments)


def answer_click(client: WebClient, body: dict[str, Any], note: SlackMessage) -> None:
    """A note to the person who pressed a button, in the thread of its message.

    Where the bot is no member, by the click's own ``response_url``.
    """
    message = body.get("message") or {}
    is_ephemeral = bool((body.get("container") or {}).get("is_ephemeral"))
    thread = message.get("thread_ts") or (None if is_ephemeral else message.get("ts"))
    channel, person = body["channel"]["id"], body["user"]["id"]
    if not post_note(client, channel, person, note, thread=thread) and body.get("response_url"):
        _respond(body["response_url"], note)


def replace_clicked(body: dict[str, Any], note: SlackMessage) -> None:
    """Replace the note whose button was pressed."""
    _respond(body["response_url"], note, replace=True)


def open_form(client: WebClient, body: dict[str, Any], view: Block) -> bool:
    """Open a modal for the person who acted; False where Slack does not, such as too late."""
    try:
        with slack_call("open a form"):
            client.views_open(trigger_id=body["trigger_id"], view=view)
    except SlackCallFailed as error:
        _log.warning("%s", error)
        return False
    return True


class EphemeralReply:
    """The answer to a slash command.

    Sent to the command's ``response_url``, which works where the bot is no member, too; posted
    by itself where that has expired.
    """

    def __init__(self, client: WebClient, asked: Asked) -> None:
        self._client = client
        self._asked = asked
        self.ts = ""

    def begin(self) -> str:
        """Nothing: Slack lets no bot take away what it says to a command before the answer."""
        return ""

    def progress(self, stage: Stage, passages: Sequence[Passage]) -> None:
        """Nothing: a response_url may be used five times only."""

    def show(self, text: str) -> None:
        """Nothing, for the same reason."""

    def complete(self, rendered: SlackMessage) -> None:
        """Raises SlackCallFailed."""
        if self._asked.response_url and _respond(self._asked.response_url, rendered):
            return
        with slack_call("post a private answer"):
            self._client.chat_postEphemeral(
                channel=self._asked.channel, user=self._asked.asker, **rendered.arguments
            )


def _respond(response_url: str, message: SlackMessage, *, replace: bool = False) -> bool:
    """Send to one person by a ``response_url``; False where Slack does not take it."""
    try:
        response = WebhookClient(response_url).send(
            **message.arguments,
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
