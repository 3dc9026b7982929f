"""Asking a person: the channel's owners are called, and the reply of one is kept as the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.domain.values import Correction, CorrectionKind
from bot.jobs.durable import Jobs
from bot.records.answers import Answers
from bot.records.channels import Channels
from bot.records.feedback import Corrections
from bot.records.threads import Escalation, Escalations
from bot.slack.connection.calls import retrying_only_refusals, slack_call, temporary
from bot.slack.rendering.blocks import ASK_PERSON_ACTION, button, note
from bot.slack.rendering.mrkdwn import plain_question
from bot.slack.rendering.phrases import Phrases
from bot.slack.rendering.spoken import Spoken
from bot.slack.replies.tell import put_in_place, tell, tell_clicker
from bot.slack.replies.thread import thread_messages

_JOB = "escalate"
_EVENT_TYPE = "lorebot_escalation"
_LEARN, _DISCARD = "escalation_learn", "escalation_discard"


class Escalating:
    def __init__(
        self,
        client: WebClient,
        answers: Answers,
        corrections: Corrections,
        escalations: Escalations,
        channels: Channels,
        spoken: Spoken,
        jobs: Jobs,
    ) -> None:
        self._client = client
        self._answers = answers
        self._corrections = corrections
        self._escalations = escalations
        self._channels = channels
        self._spoken = spoken
        self._jobs = jobs
        jobs.register(_JOB, self._call)

    def listen(self, app: App) -> None:
        @app.action(ASK_PERSON_ACTION)
        def wanted(ack: Ack, body: dict[str, Any]) -> None:
            said = self._begin(body)
            ack()
            tell_clicker(self._client, body, note(said))

        @app.action(_LEARN)
        def learn(ack: Ack, body: dict[str, Any]) -> None:
            self._let_learn(*_of(body))
            ack()
            put_in_place(body, note(self._to_clicker(body).learned))

        @app.action(_DISCARD)
        def discard(ack: Ack, body: dict[str, Any]) -> None:
            self._corrections.withdraw(*_of(body))
            ack()
            put_in_place(body, note(self._to_clicker(body).discarded))

    def heard(self, event: dict[str, Any]) -> bool:
        """Whether a message in a thread is the reply of somebody who was called; then it is kept.

        What asks back is no answer.
        """
        person, text = event["user"], plain_question(event.get("text") or "")
        waiting = self._escalations.waiting(event["channel"], event["thread_ts"])
        called = next((one for one in waiting if person in one.owners), None)
        if called is None or not text or text.endswith("?"):
            return False
        self._corrections.give(
            Correction(called.answer_id, person, text, kind=CorrectionKind.ESCALATION)
        )
        self._escalations.replied(called.answer_id, person)
        spoken = self._to_person(person, called.answer_id)
        buttons = [
            button(_LEARN, spoken.may_learn, called.answer_id),
            button(_DISCARD, spoken.discard, called.answer_id),
        ]
        said = note(spoken.reply_kept, buttons)
        tell(self._client, event["channel"], person, said, thread=event["thread_ts"])
        return True

    def _begin(self, body: dict[str, Any]) -> str:
        """Keep that people are wanted, and say what comes of it."""
        answer_id, person = _of(body)
        spoken = self._to_clicker(body)
        channel, message = body["channel"]["id"], body["message"]
        answer = self._answers.answer(answer_id)
        owners = self._channels.of(channel).owners
        if answer is None or answer.question.channel != channel:
            return spoken.vote_gone
        if not owners:
            return spoken.no_owners
        thread = message.get("thread_ts") or message["ts"]
        is_new = self._escalations.begin(Escalation(answer_id, channel, thread, person, owners))
        self._jobs.start(_JOB, answer_id)  # of a known one, too: its job may not have been kept
        return spoken.called if is_new else spoken.called_already

    def _call(self, answer_id: str) -> None:
        """The job."""
        self._jobs.step("call", lambda: self._post(answer_id), temporary, attempts=10)

    def _post(self, answer_id: str) -> None:
        """Call the owners, unless an earlier attempt has."""
        escalation, answer = self._escalations.find(answer_id), self._answers.answer(answer_id)
        if escalation is None or answer is None:
            return  # forgotten meanwhile
        channel, thread = escalation.channel, escalation.thread
        metadata = {"event_type": _EVENT_TYPE, "event_payload": {"answer": answer_id}}
        earlier = thread_messages(self._client, channel, thread)
        if any(message.get("metadata") == metadata for message in earlier):
            return
        spoken = self._spoken.to(self._answers.asked(answer.question.id))
        owners = ", ".join(f"<@{owner}>" for owner in escalation.owners)
        with slack_call("call the owners of a channel"):
            retrying_only_refusals(self._client).chat_postMessage(
                channel=channel,
                thread_ts=thread,
                text=f":raising_hand: {spoken.calling.format(owners=owners)}",
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
            )

    def _let_learn(self, answer_id: str, person: str) -> None:
        for correction in self._corrections.of(answer_id):
            if correction.author == person:
                self._corrections.give(replace(correction, may_learn=True))

    def _to_clicker(self, body: dict[str, Any]) -> Phrases:
        answer_id, person = _of(body)
        return self._to_person(person, answer_id)

    def _to_person(self, person: str, answer_id: str) -> Phrases:
        answer = self._answers.answer(answer_id)
        return self._spoken.to_person(person, answer.question if answer else None)


def _of(body: dict[str, Any]) -> tuple[str, str]:
    """The answer's id in a pressed button, and who pressed it."""
    return str(body["actions"][0].get("value", "")), body["user"]["id"]
