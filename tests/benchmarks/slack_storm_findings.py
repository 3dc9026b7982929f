"""What became of each question, read off the workspace: its messages, status lines and calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bot.slack.replies.thread import holds_reply_to
from bot.workspace import Workspace
from bot.workspace.web_api.api import Call

Message = dict[str, Any]

_COMPLETING = ("chat.stopStream", "chat.update", "chat.postMessage")
_LOST_ANSWERS = ("", "answer_lost")
_PLACEHOLDER, _DRAFT = "Looking through", ":writing_hand:"


@dataclass(slots=True)
class Asked:
    """One question: its message, and what the bot made of it. Moments are Slack's, in seconds."""

    channel: str
    thread: str
    ts: str
    replies: list[Message] = field(default_factory=list)
    first_sign: float | None = None
    completed: float | None = None

    @property
    def id(self) -> str:
        return f"{self.channel}:{self.ts}"

    @property
    def is_answered_once(self) -> bool:
        """By one finished message with an answer, which has its thumbs; an apology has none."""
        blocks = [block for reply in self.replies for block in reply.get("blocks") or ()]
        return (
            len(self.replies) == 1
            and not is_unfinished(self.replies[0])
            and any(block["type"] == "context_actions" for block in blocks)
        )


def is_unfinished(message: Message) -> bool:
    """An open stream, a draft or a placeholder."""
    if message.get("streaming_state") == "in_progress":
        return True
    return (
        not message["text"]
        or _PLACEHOLDER in message["text"]
        or _DRAFT in str(message.get("blocks"))
    )


def look(workspace: Workspace, asked: Sequence[Asked]) -> None:
    """Fill in what is there now."""
    by_thread: dict[tuple[str, str], list[Message]] = {}
    for channel in {one.channel for one in asked}:
        for message in workspace.messages(channel):
            if message.get("bot_id"):
                thread = str(message.get("thread_ts") or message["ts"])
                by_thread.setdefault((channel, thread), []).append(message)
    for one in asked:
        found = by_thread.get((one.channel, one.thread), [])
        one.replies = [message for message in found if holds_reply_to(message, one.id)]


def read_calls(calls: Iterable[Call], asked: Sequence[Asked]) -> None:
    """Fill in when the bot first showed that it works on a question, and when it was done."""
    by_id = {one.id: one for one in asked}
    for call in calls:
        if call.error not in _LOST_ANSWERS:
            continue
        text = json.dumps(call.arguments, ensure_ascii=False)
        one = by_id.get(_question(call.arguments))
        if call.method == "assistant.threads.setStatus" and call.arguments.get("status"):
            _note_status(call, asked)
        elif call.method == "chat.startStream":
            for started in asked:
                if f"{started.id}/" in text:
                    started.first_sign = min(started.first_sign or call.at, call.at)
        elif one is not None and call.method in _COMPLETING:
            one.first_sign = min(one.first_sign or call.at, call.at)
            if _PLACEHOLDER not in str(call.arguments.get("text")) and _DRAFT not in text:
                one.completed = min(one.completed or call.at, call.at)


def out_of_order(asked: Iterable[Asked]) -> int:
    """Questions whose reply began before that to an earlier one of its thread was complete."""
    threads: dict[tuple[str, str], list[Asked]] = {}
    for one in sorted(asked, key=lambda one: float(one.ts)):
        threads.setdefault((one.channel, one.thread), []).append(one)
    wrong = 0
    for questions in threads.values():
        for earlier, later in pairwise(questions):
            if earlier.completed is None or not later.replies:
                continue
            wrong += float(later.replies[0]["ts"]) < earlier.completed - 0.001
    return wrong


def status_lines(workspace: Workspace, asked: Iterable[Asked]) -> int:
    """Those that still say that somebody is at work."""
    threads = {(one.channel, one.thread) for one in asked}
    return sum(bool(workspace.status(channel, thread)) for channel, thread in threads)


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _note_status(call: Call, asked: Sequence[Asked]) -> None:
    """A line belongs to a thread: to whoever has asked there and has seen nothing yet."""
    place = (call.arguments.get("channel_id"), call.arguments.get("thread_ts"))
    for one in asked:
        is_there = (one.channel, one.thread) == place and float(one.ts) <= call.at
        if is_there and one.first_sign is None:
            one.first_sign = call.at


def _question(arguments: dict[str, Any]) -> str:
    """The id of the question that a message's metadata names, or ""."""
    metadata = arguments.get("metadata") or {}
    known = json.loads(metadata) if isinstance(metadata, str) else metadata
    return str(known.get("event_payload", {}).get("question", ""))
