"""Slack's native stream: an answer's stages as tasks with sources, then its text as it grows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from slack_sdk import WebClient
from slack_sdk.models.blocks.block_elements import UrlSourceElement
from slack_sdk.models.messages.chunk import Chunk, MarkdownTextChunk, TaskUpdateChunk

from bot.domain.values import Asked, Stage, distinct_documents
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.connection.clients import without_retries
from bot.slack.connection.rate_limits import RateLimits, TokenBucket
from bot.slack.rendering.deltas import Deltas
from bot.slack.rendering.messages import MARKDOWN_CHARACTERS, SlackMessage
from bot.slack.rendering.mrkdwn import cut, source_label
from bot.slack.rendering.phrases import Phrases
from indexer.documents import Passage

_log = logging.getLogger(__name__)

STOPPED, EXPIRED = "stopped_by_user", "message_not_in_streaming_state"
_SECONDS_BETWEEN = 0.4
_SOURCES = 6
_TITLE_CHARACTERS = 200


class Stream:
    """One message that grows. After any failure it takes no more; ``failure`` is Slack's error.

    ``on_stop`` is called when Slack says that a person has stopped it. Not for several threads.
    """

    def __init__(
        self,
        client: WebClient,
        asked: Asked,
        phrases: Phrases,
        limits: RateLimits,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = without_retries(client)
        self._asked = asked
        self._phrases = phrases
        self._appends: TokenBucket = limits.appends
        self._on_stop = on_stop
        self._deltas = Deltas(MARKDOWN_CHARACTERS)
        self._running: dict[Stage, TaskUpdateChunk] = {}
        self._waiting: dict[str, TaskUpdateChunk] = {}
        self._text = ""
        self._called_at = 0.0
        self.ts = ""
        self.failure: str | None = None

    def start(self) -> str:
        """The message's timestamp. Raises SlackCallFailed."""
        self.enter(Stage.SEARCH, ())
        with slack_call("begin a stream"):
            started = self._client.chat_startStream(
                channel=self._asked.channel,
                thread_ts=self._asked.thread,
                recipient_team_id=self._asked.team or None,
                recipient_user_id=self._asked.asker,
                task_display_mode="timeline",
                chunks=self._take_waiting(),
            )
        self.ts = str(started["ts"])
        return self.ts

    def enter(self, stage: Stage, passages: Sequence[Passage]) -> None:
        """The stage before is done, this one has begun."""
        if stage in self._running:
            return
        self._complete_tasks()
        documents = distinct_documents(passages)
        titles = {
            Stage.SEARCH: self._phrases.searching,
            Stage.READ: self._phrases.reading.format(count=len(documents)),
            Stage.WRITE: self._phrases.writing,
        }
        task = TaskUpdateChunk(
            id=task_id(self._asked.id, stage),
            title=cut(titles[stage], _TITLE_CHARACTERS),
            status="in_progress",
            sources=_sources(documents) or None,
        )
        self._running[stage] = self._waiting[task.id] = task
        self._flush()

    def show(self, text: str) -> None:
        """The answer so far."""
        self._text = text
        self._flush()

    def finish(self, rendered: SlackMessage, metadata: dict[str, Any]) -> bool:
        """Complete the message; False where it must be replaced instead."""
        rest = self._deltas.rest(rendered.body)
        if self.failure is not None or rest is None or not self.ts:
            return False
        self._complete_tasks()
        chunks = [*self._take_waiting(), *([MarkdownTextChunk(text=rest)] if rest else [])]
        try:
            with slack_call("complete a stream"):
                self._client.chat_stopStream(
                    channel=self._asked.channel,
                    ts=self.ts,
                    chunks=chunks,
                    blocks=rendered.tail,
                    metadata=metadata,
                )
        except SlackCallFailed as error:
            self._fail(error)
            return False
        return True

    def _flush(self) -> None:
        delta = self._deltas.next(self._text)
        early = time.monotonic() - self._called_at < _SECONDS_BETWEEN
        if not self.ts or self.failure is not None or early or not (delta or self._waiting):
            return
        if not self._appends.take():
            return
        self._called_at = time.monotonic()
        waiting = dict(self._waiting)
        chunks = [*self._take_waiting(), *([MarkdownTextChunk(text=delta)] if delta else [])]
        try:
            with slack_call("append to a stream"):
                self._client.chat_appendStream(
                    channel=self._asked.channel, ts=self.ts, chunks=chunks
                )
        except SlackCallFailed as error:
            if error.reason != "ratelimited":
                self._fail(error)
                return
            self._waiting = waiting | self._waiting
            self._appends.pause(error.retry_after)
        else:
            self._deltas.keep(delta)

    def _take_waiting(self) -> list[Chunk]:
        taken, self._waiting = list(self._waiting.values()), {}
        return list(taken)

    def _complete_tasks(self) -> None:
        for task in self._running.values():
            self._waiting[task.id] = TaskUpdateChunk(
                id=task.id, title=task.title, status="complete", sources=task.sources
            )
        self._running.clear()

    def _fail(self, error: SlackCallFailed) -> None:
        _log.info("%s", error)
        self.failure = error.reason
        if error.reason == STOPPED:
            self._on_stop()


def task_id(question_id: str, stage: Stage) -> str:
    """Names the question, so that a stream is found again: see ``thread.holds_reply_to``."""
    return f"{question_id}/{stage}"


def _sources(documents: Sequence[Passage]) -> list[UrlSourceElement]:
    return [
        UrlSourceElement(url=passage.url, text=source_label(passage.context))
        for passage in documents[:_SOURCES]
        if passage.url.startswith(("https://", "http://"))
    ]
