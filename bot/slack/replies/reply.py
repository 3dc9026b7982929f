"""The message that answers a question: streamed, or a placeholder updated, or posted at the end."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

from slack_sdk import WebClient

from bot.domain.errors import RecordsError
from bot.domain.values import Asked, Occasion, Stage
from bot.records.answers import Answers
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.connection.clients import retrying_only_refusals
from bot.slack.connection.rate_limits import RateLimits
from bot.slack.rendering import messages
from bot.slack.rendering.messages import SlackMessage
from bot.slack.rendering.phrases import Phrases
from bot.slack.replies.status import StatusLines
from bot.slack.replies.stream import EXPIRED, STOPPED, Stream
from bot.slack.replies.thread import holds_reply_to, reply_metadata, thread_messages
from indexer.documents import Passage

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_DRAFTS = 1.2
_CALLS_OF_DRAFTS = 5
_STILL_STREAMING = "streaming_state_conflict"
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
_UNACCEPTABLE = {"msg_too_long", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}


class Reply:
    """A native stream where Slack has room for one; else a placeholder and updates; else, under a
    status line, one message at the end. Whatever becomes of these, ``complete`` leaves the whole
    answer, once. Not for several threads.
    """

    def __init__(
        self,
        client: WebClient,
        answers: Answers,
        status: StatusLines,
        limits: RateLimits,
        asked: Asked,
        phrases: Phrases,
        on_stop: Callable[[], None],
    ) -> None:
        self._client = client
        self._answers = answers
        self._status = status
        self._limits = limits
        self._asked = asked
        self._phrases = phrases
        self._on_stop = on_stop
        self._stream: Stream | None = None
        self._next_draft_at = 0.0
        self._shows_drafts = False
        self._nothing_posted = False
        self.ts = ""

    def begin(self) -> str:
        """The timestamp of the message, posted unless it was before; "" where it comes at the end.

        May be repeated after a crash at any point: a message that was begun but not remembered is
        found in the thread by the question's id in its metadata or tasks.
        """
        if self._asked.occasion is Occasion.OVERHEARD:
            self._nothing_posted = not self._answers.begin_reply(self._asked.id).attempted
            return ""
        self._status.show(self._asked)
        before = self._answers.begin_reply(self._asked.id)
        ts = before.ts or (self._posted_earlier() if before.attempted else "")
        ts = ts or self._open()
        if ts != before.ts:
            self._answers.reply_posted(self._asked.id, ts)
        return ts

    def progress(self, stage: Stage, passages: Sequence[Passage]) -> None:
        if self._stream:
            self._stream.enter(stage, passages)

    def show(self, text: str) -> None:
        """An answer so far; Slack's refusals are logged."""
        if self._stream and self._stream.failure is None:
            self._stream.show(text)
        elif self._shows_drafts or (self._stream and self._stream.failure == EXPIRED):
            self._show_draft(text)

    def complete(self, rendered: SlackMessage) -> None:
        """Put the final text into the message. May be repeated. Raises SlackCallFailed."""
        stream, self._stream = self._stream, None
        if stream and stream.finish(rendered, reply_metadata(self._asked.id)):
            return
        if not self.ts and not self._nothing_posted:
            self.ts = self._posted_earlier()
        self._nothing_posted = False
        if self.ts:
            self._replace(rendered)
        else:
            self.ts = self._post(rendered)
        self._answers.reply_posted(self._asked.id, self.ts)

    def _open(self) -> str:
        if self._limits.starts.take():
            stream = Stream(
                self._client, self._asked, self._phrases, self._limits, on_stop=self._on_stop
            )
            try:
                with self._status.cleared_by_posting(self._asked):
                    ts = stream.start()
                self._stream = stream
                return ts
            except SlackCallFailed as error:
                _log.info("%s Answering without a stream.", error)
                if error.reason == "ratelimited":
                    self._limits.starts.pause(error.retry_after)
                if error.uncertain and (ts := self._posted_earlier()):
                    return ts
        if self._status.is_shown(self._asked) and not self._limits.updates.take(_CALLS_OF_DRAFTS):
            self._nothing_posted = True
            return ""
        self._shows_drafts = True
        return self._post(messages.searching(self._phrases))

    def _show_draft(self, text: str) -> None:
        now = time.monotonic()
        if now < self._next_draft_at:
            return
        self._next_draft_at = now + _SECONDS_BETWEEN_DRAFTS
        if not self._limits.updates.take():
            return
        if self._is_answered():
            self._next_draft_at = math.inf
            return
        try:
            self._update(messages.draft(text))
        except SlackCallFailed as error:
            _log.info("A draft could not be shown: %s", error)
            self._limits.updates.pause(error.retry_after)

    def _is_answered(self) -> bool:
        """Whether another process, which held this one for dead, has answered: its text stays. So
        it does where the records are away.
        """
        try:
            return self._answers.find(self._asked.id) is not None
        except RecordsError:
            return True

    def _replace(self, rendered: SlackMessage) -> None:
        """Update the message; a new one is posted only where it was deleted."""
        try:
            self._update(rendered)
        except SlackCallFailed as error:
            if error.reason == _STILL_STREAMING:
                self._end_stream()
                self._update(rendered)
            elif error.reason in _UNACCEPTABLE:
                _log.warning("%s Posting its text alone.", error)
                self._update(SlackMessage(rendered.text))
            elif error.reason in _GONE:
                self.ts = self._posted_earlier(but=self.ts) or self._post(rendered)
            else:
                raise

    def _end_stream(self) -> None:
        """End a stream that this process, or one before it, has left open."""
        try:
            with slack_call("end a stream"):
                self._client.chat_stopStream(channel=self._asked.channel, ts=self.ts)
        except SlackCallFailed as error:
            if error.reason not in (EXPIRED, STOPPED):
                raise

    def _post(self, rendered: SlackMessage) -> str:
        client = retrying_only_refusals(self._client)
        with self._status.cleared_by_posting(self._asked), slack_call("post a reply"):
            posted = client.chat_postMessage(
                channel=self._asked.channel,
                thread_ts=self._asked.thread,
                **rendered.arguments,
                metadata=reply_metadata(self._asked.id),
                unfurl_links=False,
                unfurl_media=False,
            )
        return str(posted["ts"])

    def _update(self, rendered: SlackMessage) -> None:
        with slack_call("update a reply"):
            self._client.chat_update(
                channel=self._asked.channel,
                ts=self.ts,
                **rendered.arguments,
                metadata=reply_metadata(self._asked.id),
            )

    def _posted_earlier(self, but: str = "") -> str:
        """The timestamp of our reply in the thread, ``but`` not that one; "" where none is."""
        thread = thread_messages(self._client, self._asked.channel, self._asked.thread)
        ours = [str(one["ts"]) for one in thread if holds_reply_to(one, self._asked.id)]
        return next((ts for ts in ours if ts != but), "")
