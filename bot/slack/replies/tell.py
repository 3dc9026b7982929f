"""Notes that one person alone sees."""

from __future__ import annotations

import logging
from typing import Any

from slack_sdk import WebClient

from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.rendering.blocks import Rendered
from bot.slack.replies.private_reply import respond

_log = logging.getLogger(__name__)


def tell(
    client: WebClient, channel: str, person: str, rendered: Rendered, *, thread: str | None = None
) -> bool:
    """Post a note; what it is about stands even if Slack will not show it."""
    try:
        with slack_call("show a note"):
            client.chat_postEphemeral(
                channel=channel,
                user=person,
                thread_ts=thread,
                text=rendered.text,
                blocks=rendered.blocks,
            )
    except SlackCallFailed as error:
        _log.warning("%s", error)
        return False
    return True


def tell_clicker(client: WebClient, body: dict[str, Any], rendered: Rendered) -> None:
    """A note to whoever has pressed a button, in the thread of its message.

    Where the bot is no member, by the click's own ``response_url``.
    """
    message = body.get("message") or {}
    thread = message.get("thread_ts") or (message.get("ts") if not _is_private(body) else None)
    channel, person = body["channel"]["id"], body["user"]["id"]
    if not tell(client, channel, person, rendered, thread=thread) and body.get("response_url"):
        respond(body["response_url"], rendered)


def put_in_place(body: dict[str, Any], rendered: Rendered) -> None:
    """Replace the note whose button was pressed."""
    respond(body["response_url"], rendered, replace=True)


def _is_private(body: dict[str, Any]) -> bool:
    return bool((body.get("container") or {}).get("is_ephemeral"))
