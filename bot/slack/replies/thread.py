"""A question's thread: the conversation before a follow-up, and which messages are our replies."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from slack_sdk import WebClient

from bot.domain.values import Asked, Message
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.rendering.mrkdwn import plain_question

_log = logging.getLogger(__name__)

_EVENT_TYPE = "lorebot_answer"
_TURNS = 20
_CHARACTERS = 1200
_PAGE = 200


def thread_messages(
    client: WebClient, channel: str, thread: str, before: str = ""
) -> list[dict[str, Any]]:
    """All messages of a thread, oldest first, or those before one. Raises SlackCallFailed."""
    with slack_call("show a thread"):
        pages = client.conversations_replies(
            channel=channel,
            ts=thread,
            latest=before or None,
            include_all_metadata=True,
            limit=_PAGE,
        )
        messages = [message for page in pages for message in page["messages"]]
    return [one for one in messages if not before or float(one["ts"]) < float(before)]


def reply_metadata(question_id: str) -> dict[str, Any]:
    """What marks a message as the reply to a question."""
    return {"event_type": _EVENT_TYPE, "event_payload": {"question": question_id}}


def holds_reply_to(message: Mapping[str, Any], question_id: str) -> bool:
    """Whether a message is our reply: by its metadata, or, of an open stream, by its tasks."""
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") == _EVENT_TYPE:
        return bool(metadata.get("event_payload", {}).get("question") == question_id)
    blocks = message.get("blocks") or ()
    tasks = [*blocks, *(task for block in blocks for task in block.get("tasks") or ())]
    return any(str(task.get("task_id", "")).startswith(f"{question_id}/") for task in tasks)


def is_reply(message: Mapping[str, Any]) -> bool:
    """Whether a message is our finished reply to any question."""
    return (message.get("metadata") or {}).get("event_type") == _EVENT_TYPE


def earlier_turns(client: WebClient, asked: Asked) -> tuple[Message, ...]:
    """What was said in the thread before the question, oldest first; at most 20 turns.

    Everybody who will read the answer can read them. Where Slack does not show the thread, the
    question is answered without it.
    """
    if not asked.thread or asked.thread == asked.ts:
        return ()
    try:
        messages = thread_messages(client, asked.channel, asked.thread, before=asked.ts)
    except SlackCallFailed as error:
        _log.warning("A follow-up is answered without its thread: %s", error)
        return ()
    return _turns([one for one in messages if not holds_reply_to(one, asked.id)])


def _turns(messages: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    turns = [_turn(one) for one in messages if one.get("subtype") in (None, "file_share")]
    return tuple(turn for turn in turns if turn.content)[-_TURNS:]


def _turn(message: Mapping[str, Any]) -> Message:
    text = plain_question(message.get("text") or "")[:_CHARACTERS]
    return Message("assistant" if message.get("bot_id") else "user", text)
