"""The earlier turns of a question's thread, which give a follow-up its meaning."""

from __future__ import annotations

import logging
from typing import Any

from slack_sdk import WebClient

from bot.domain import Asked
from bot.serving.model import Message
from bot.slack.calls import SlackCallFailed, slack_call
from bot.slack.mrkdwn import plain_question

_log = logging.getLogger(__name__)

_TURNS = 20
_CHARACTERS = 1200
_PAGE = 200


def earlier_turns(client: WebClient, asked: Asked) -> tuple[Message, ...]:
    """What was said in the thread before the question, oldest first; at most 20 turns.

    Everybody who will read the answer can read them. Where Slack does not show the thread, the
    question is answered without it.
    """
    own = asked.id.rpartition(":")[2]
    if asked.thread == own:
        return ()
    try:
        with slack_call("show a thread"):
            pages = client.conversations_replies(
                channel=asked.channel, ts=asked.thread, latest=own, limit=_PAGE
            )
            messages = [message for page in pages for message in page["messages"]]
    except SlackCallFailed as error:
        _log.warning("A follow-up is answered without its thread: %s", error)
        return ()
    before = [message for message in messages if float(message["ts"]) < float(own)]
    turns = [_turn(message) for message in before if not message.get("subtype")]
    return tuple(turn for turn in turns if turn.content)[-_TURNS:]


def _turn(message: dict[str, Any]) -> Message:
    text = plain_question(message.get("text") or "")[:_CHARACTERS]
    return Message("assistant" if message.get("bot_id") else "user", text)
