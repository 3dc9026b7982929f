"""Questions asked by writing: mentions, direct messages, follow-ups, channels that opted in."""

from __future__ import annotations

import logging
from typing import Any

from slack_sdk import WebClient

from bot.domain.values import Asked, Occasion
from bot.records.channels import Channels
from bot.records.threads import Threads
from bot.slack.connection.calls import SlackCallFailed
from bot.slack.connection.clients import without_retries
from bot.slack.listeners.addressed import follows_an_answer, is_question, mute_command
from bot.slack.listeners.escalation import EscalationFlow
from bot.slack.rendering.messages import note
from bot.slack.rendering.mrkdwn import plain_question
from bot.slack.rendering.phrases import Phrasebook
from bot.slack.replies.attachments import attached_files
from bot.slack.replies.ephemeral import post_note
from bot.slack.replies.gate import Act, Gate
from bot.slack.replies.questions import Questions
from bot.slack.replies.thread import thread_messages

_log = logging.getLogger(__name__)

_WRITTEN = (None, "file_share", "thread_broadcast")
_GROUP = "mpim"
"""A direct message of several people, whose mentions Slack need not send as such."""


class Asking:
    """Listeners only keep the question and begin the job; Slack's receipt follows that."""

    def __init__(
        self,
        client: WebClient,
        questions: Questions,
        threads: Threads,
        channels: Channels,
        escalation: EscalationFlow,
        phrasebook: Phrasebook,
    ) -> None:
        self._client = client
        self._quick = without_retries(client)
        self._questions = questions
        self._threads = threads
        self._channels = channels
        self._escalation = escalation
        self._phrasebook = phrasebook

    def listen(self, gate: Gate) -> None:
        gate.event("app_mention", self.on_mention, self._questions.take)
        gate.event("message", self.on_message, self._questions.take)

    def on_mention(self, event: dict[str, Any], body: dict[str, Any]) -> Asked | Act | None:
        return self._mention(event, body) if _is_by_a_person(event) else None

    def on_message(self, event: dict[str, Any], body: dict[str, Any]) -> Asked | Act | None:
        if not _is_by_a_person(event):
            return None
        if _is_direct(event):
            return _asked(event, body, Occasion.DIRECT)
        if not _mentions_us(event, body):
            return self._unaddressed(event, body)
        return self._mention(event, body) if event.get("channel_type") == _GROUP else None

    def _mention(self, event: dict[str, Any], body: dict[str, Any]) -> Asked | Act:
        occasion = Occasion.DIRECT if _is_direct(event) else Occasion.MENTION
        return self._muting(event) or _asked(event, body, occasion)

    def _unaddressed(self, event: dict[str, Any], body: dict[str, Any]) -> Asked | Act | None:
        """A message that does not mention the bot: an owner's reply, a follow-up, or a question
        in a channel whose questions are all answered.
        """
        thread, text = event.get("thread_ts"), event.get("text") or ""
        if thread and (keeping := self._escalation.owners_reply(event)):
            return keeping
        if not is_question(text):
            return None
        if thread:
            asked = _asked(event, body, Occasion.FOLLOW_UP)
            return asked if self._is_addressed(asked) else None
        if self._channels.of(event["channel"]).auto_answer:
            return _asked(event, body, Occasion.OVERHEARD)
        return None

    def _is_addressed(self, asked: Asked) -> bool:
        """A question in a thread is for the bot if only the asker wrote since it answered.

        Raises SlackCallFailed where trying again may help: Slack gets no receipt then, and sends
        the event again.
        """
        if not self._threads.is_engaged(asked.channel, asked.thread):
            return False
        try:
            before = thread_messages(self._quick, asked.channel, asked.thread, before=asked.ts)
        except SlackCallFailed as error:
            if error.temporary:
                raise
            _log.warning("A follow-up is left alone: %s", error)
            return False
        return follows_an_answer(before, asked.asker)

    def _muting(self, event: dict[str, Any]) -> Act | None:
        """A mention that says nothing but "mute" or "unmute", which is about its thread."""
        word, thread = mute_command(event.get("text") or ""), event.get("thread_ts")
        if not word or not thread:
            return None
        return lambda: self._mute(word, event["channel"], thread, event["user"])

    def _mute(self, word: str, channel: str, thread: str, person: str) -> None:
        phrases = self._phrasebook.for_person(person)
        if word == "mute":
            self._threads.mute(channel, thread, person)
        else:
            self._threads.unmute(channel, thread)
        done = note(phrases.muted if word == "mute" else phrases.unmuted)
        post_note(self._client, channel, person, done, thread=thread)


def _is_direct(event: dict[str, Any]) -> bool:
    """Channel types are told of messages only; ids of direct messages begin with D."""
    return event.get("channel_type") == "im" or str(event["channel"]).startswith("D")


def _is_by_a_person(event: dict[str, Any]) -> bool:
    """Two bots would talk to each other for ever."""
    written = event.get("subtype") in _WRITTEN and not event.get("bot_id")
    return written and bool(event.get("user"))


def _mentions_us(event: dict[str, Any], body: dict[str, Any]) -> bool:
    """Slack sends such a message as a mention besides."""
    ours = [one.get("user_id") for one in body.get("authorizations") or ()]
    return any(one and f"<@{one}" in (event.get("text") or "") for one in ours)


def _asked(event: dict[str, Any], body: dict[str, Any], occasion: Occasion) -> Asked:
    return Asked(
        id=f"{event['channel']}:{event['ts']}",
        event_id=str(body.get("event_id", "")),
        channel=event["channel"],
        thread=event.get("thread_ts") or event["ts"],
        asker=event["user"],
        text=plain_question(event.get("text") or ""),
        is_direct=_is_direct(event),
        is_shared=body.get("is_ext_shared_channel"),
        team=str(body.get("team_id") or ""),
        occasion=occasion,
        files=attached_files(event),
    )
