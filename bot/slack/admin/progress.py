"""How far a job is: one message in an admin's direct messages, updated while the job works."""

from __future__ import annotations

import logging

from slack_sdk import WebClient

from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.rendering.messages import SlackMessage

_log = logging.getLogger(__name__)


def begin_progress(client: WebClient, admin: str, message: SlackMessage) -> tuple[str, str]:
    """Post it; its channel and timestamp. An ephemeral message could not be updated.

    Raises SlackCallFailed.
    """
    with slack_call("post a message"):
        posted = client.chat_postMessage(channel=admin, **message.arguments)
    return str(posted["channel"]), str(posted["ts"])


def update_progress(client: WebClient, channel: str, ts: str, message: SlackMessage) -> None:
    """Raises SlackCallFailed."""
    with slack_call("update a message"):
        client.chat_update(channel=channel, ts=ts, **message.arguments)


def try_update_progress(client: WebClient, channel: str, ts: str, message: SlackMessage) -> None:
    """As ``update_progress``; where Slack does not take it, the job goes on all the same."""
    try:
        update_progress(client, channel, ts, message)
    except SlackCallFailed as error:
        _log.warning("%s", error)
