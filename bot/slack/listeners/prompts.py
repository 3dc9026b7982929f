"""The prompts that Slack suggests in a person's direct messages, made from what they may read."""

from __future__ import annotations

import logging
import threading
import time

from slack_sdk import WebClient

from bot.answering.pipeline import Pipeline
from bot.domain.errors import LorebotError
from bot.domain.values import Asked, Occasion, Question
from bot.records.channels import People
from bot.slack.connection.calls import slack_call
from bot.slack.rendering.mrkdwn import cut
from bot.slack.replies.audience import Audiences, Refused
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

_SECONDS = 600.0
"""Slack keeps them; making them again at once would only cost."""
_PROMPTS, _TITLE = 4, 75


class SuggestedPrompts:
    """Safe from several threads."""

    def __init__(self, pipeline: Pipeline, audiences: Audiences, people: People) -> None:
        self._pipeline = pipeline
        self._audiences = audiences
        self._people = people
        self._lock = threading.Lock()
        self._set_at: dict[str, float] = {}

    def show(self, client: WebClient, person: str, channel: str) -> None:
        """For ``person`` in their direct messages ``channel``; those of the manifest stay where
        that fails, and for people who may not ask.
        """
        if not channel.startswith("D") or not self._is_due(person):
            return
        asked = Asked("", "", channel, "", person, "", is_direct=True, occasion=Occasion.DIRECT)
        try:
            question = Question(
                id="",
                text="",
                audience=self._audiences.readers(asked),
                asker=person,
                language=self._people.language(person),
            )
            suggested = self._pipeline.suggestions(question)[:_PROMPTS]
            prompts = [{"title": cut(one, _TITLE), "message": one} for one in suggested]
            with slack_call("suggest questions"):
                # Not by the SDK's own method, which insists on a thread: Slack wants none here.
                client.api_call(
                    "assistant.threads.setSuggestedPrompts",
                    json={"channel_id": channel, "prompts": prompts},
                )
        except Refused:
            return
        except (LorebotError, IndexerError) as error:
            _log.warning("No questions are suggested: %s", error)

    def _is_due(self, person: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._set_at.get(person, -_SECONDS) < _SECONDS:
                return False
            self._set_at[person] = now
            return True
