"""The one message that answers a question: posted at once, updated while it is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.domain import Asked
from bot.records.answers import Answers
from bot.slack import blocks
from bot.slack.blocks import Rendered
from bot.slack.calls import SlackCallFailed, slack_call

_log = logging.getLogger(__name__)

_EVENT_TYPE = "lorebot_answer"
_SECONDS_BETWEEN_DRAFTS = 1.2
_PAGE = 200
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
_UNACCEPTABLE = {"msg_too_long", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}


class Replies:
    """Posts, finds again, updates and completes the reply to a question."""

    def __init__(self, client: WebClient, answers: Answers) -> None:
        self._client = client
        self._answers = answers

    def begin(self, asked: Asked) -> str:
        """The timestamp of the question's reply, posting it if nobody has.

        May be repeated after a crash at any point: a reply that was posted but not remembered is
        found in the thread by the question's id in its metadata.
        """
        before = self._answers.begin_reply(asked.id)
        ts = before.ts or (self._posted_earlier(asked) if before.attempted else "")
        if not ts:
            ts = self._post(asked, blocks.searching())
        if ts != before.ts:
            self._answers.reply_posted(asked.id, ts)
        return ts

    def drafts(self, asked: Asked, ts: str) -> Callable[[str], None]:
        """Shows an answer so far, at most about once a second; Slack's refusals are logged."""
        shown_at = 0.0

        def show(text: str) -> None:
            nonlocal shown_at
            if time.monotonic() - shown_at < _SECONDS_BETWEEN_DRAFTS:
                return
            shown_at = time.monotonic()
            try:
                self._update(asked, ts, blocks.draft(text))
            except SlackCallFailed as error:
                _log.warning("A draft could not be shown: %s", error)

        return show

    def complete(self, asked: Asked, ts: str, rendered: Rendered) -> None:
        """Put the final text into the reply; a new message only if somebody deleted it."""
        try:
            self._update(asked, ts, rendered)
        except SlackCallFailed as error:
            if error.reason in _UNACCEPTABLE:
                _log.warning("%s Posting its text alone.", error)
                self._update(asked, ts, Rendered(rendered.text, []))
            elif error.reason in _GONE:
                self._answers.reply_posted(asked.id, self._post(asked, rendered))
            else:
                raise

    def _post(self, asked: Asked, rendered: Rendered) -> str:
        with slack_call("post a reply"):
            posted = self._client.chat_postMessage(
                channel=asked.channel,
                thread_ts=asked.thread,
                text=rendered.text,
                blocks=rendered.blocks,
                metadata={"event_type": _EVENT_TYPE, "event_payload": {"question": asked.id}},
                unfurl_links=False,
                unfurl_media=False,
            )
        return str(posted["ts"])

    def _update(self, asked: Asked, ts: str, rendered: Rendered) -> None:
        with slack_call("update a reply"):
            self._client.chat_update(
                channel=asked.channel, ts=ts, text=rendered.text, blocks=rendered.blocks
            )

    def _posted_earlier(self, asked: Asked) -> str:
        with slack_call("show a thread"):
            pages = self._client.conversations_replies(
                channel=asked.channel, ts=asked.thread, include_all_metadata=True, limit=_PAGE
            )
            messages = [message for page in pages for message in page["messages"]]
        return next((str(m["ts"]) for m in messages if _question_of(m) == asked.id), "")


def _question_of(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != _EVENT_TYPE:
        return None
    found = metadata.get("event_payload", {}).get("question")
    return str(found) if found else None
