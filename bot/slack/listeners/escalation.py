"""The button "Ask a person": calls the channel's owners, and keeps a reply as a correction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.domain.values import Correction, CorrectionKind
from bot.jobs.durable import Jobs
from bot.records.answers import Answers
from bot.records.channels import Channels
from bot.records.feedback import Corrections
from bot.records.threads import Escalation, Escalations
from bot.slack.connection.calls import slack_call, temporary
from bot.slack.connection.clients import retrying_only_refusals
from bot.slack.rendering.blocks import button
from bot.slack.rendering.messages import ASK_PERSON_ACTION, note
from bot.slack.rendering.mrkdwn import plain_question
from bot.slack.rendering.phrases import Phrasebook, Phrases
from bot.slack.replies.ephemeral import answer_click, post_note, replace_clicked
from bot.slack.replies.gate import Act, Admission, Gate
from bot.slack.replies.thread import thread_messages

_JOB = "escalate"
_EVENT_TYPE = "lorebot_escalation"
_LEARN, _DISCARD = "escalation_learn", "escalation_discard"


class EscalationFlow:
    def __init__(
        self,
        client: WebClient,
        answers: Answers,
        corrections: Corrections,
        escalations: Escalations,
        channels: Channels,
        phrasebook: Phrasebook,
        jobs: Jobs,
    ) -> None:
        self._client = client
        self._answers = answers
        self._corrections = corrections
        self._escalations = escalations
        self._channels = channels
        self._phrasebook = phrasebook
        self._jobs = jobs
        jobs.register(_JOB, self._escalate)

    def listen(self, gate: Gate) -> None:
        gate.action(ASK_PERSON_ACTION, self.on_ask_person)
        gate.action(_LEARN, self.on_learn)
        gate.action(_DISCARD, self.on_discard, Admission.OWN)

    def on_ask_person(self, ack: Ack, body: dict[str, Any]) -> None:
        outcome = self._begin(body)
        ack()
        answer_click(self._client, body, note(outcome))

    def on_learn(self, ack: Ack, body: dict[str, Any]) -> None:
        answer_id, person = _clicked(body)
        for correction in self._corrections.of(answer_id):
            if correction.author == person:
                self._corrections.give(replace(correction, may_learn=True))
        ack()
        replace_clicked(body, note(self._phrases_for(person, answer_id).learned))

    def on_discard(self, ack: Ack, body: dict[str, Any]) -> None:
        answer_id, person = _clicked(body)
        self._corrections.withdraw(answer_id, person)
        ack()
        replace_clicked(body, note(self._phrases_for(person, answer_id).discarded))

    def owners_reply(self, event: dict[str, Any]) -> Act | None:
        """What keeps a message in a thread, where it is the reply of an owner who was called.

        A question back is no answer.
        """
        person, text = event["user"], plain_question(event.get("text") or "")
        waiting = self._escalations.waiting(event["channel"], event["thread_ts"])
        called = next((one for one in waiting if person in one.owners), None)
        if called is None or not text or text.endswith("?"):
            return None
        reply = Correction(called.answer_id, person, text, kind=CorrectionKind.ESCALATION)
        return lambda: self._keep(reply, called)

    def _keep(self, reply: Correction, called: Escalation) -> None:
        self._corrections.give(reply)
        self._escalations.replied(called.answer_id, reply.author)
        phrases = self._phrases_for(reply.author, called.answer_id)
        buttons = [
            button(phrases.may_learn, _LEARN, called.answer_id),
            button(phrases.discard, _DISCARD, called.answer_id),
        ]
        thanks = note(phrases.reply_kept, *buttons)
        post_note(self._client, called.channel, reply.author, thanks, thread=called.thread)

    def _begin(self, body: dict[str, Any]) -> str:
        """Record that a person is wanted and start the job; what to say about it."""
        answer_id, person = _clicked(body)
        channel, message = body["channel"]["id"], body["message"]
        answer = self._answers.answer(answer_id)
        phrases = self._phrasebook.for_person(person, answer)
        owners = self._channels.of(channel).owners
        if answer is None or answer.question.channel != channel:
            return phrases.vote_gone
        if not owners:
            return phrases.no_owners
        thread = message.get("thread_ts") or message["ts"]
        is_new = self._escalations.begin(Escalation(answer_id, channel, thread, person, owners))
        self._jobs.start(_JOB, answer_id)  # of a known one, too: its job may not have been kept
        return phrases.called if is_new else phrases.called_already

    def _escalate(self, answer_id: str) -> None:
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
        phrases = self._phrasebook.for_reply(self._answers.asked(answer.question.id))
        owners = ", ".join(f"<@{owner}>" for owner in escalation.owners)
        with slack_call("call the owners of a channel"):
            retrying_only_refusals(self._client).chat_postMessage(
                channel=channel,
                thread_ts=thread,
                text=f":raising_hand: {phrases.calling.format(owners=owners)}",
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
            )

    def _phrases_for(self, person: str, answer_id: str) -> Phrases:
        return self._phrasebook.for_person(person, self._answers.answer(answer_id))


def _clicked(body: dict[str, Any]) -> tuple[str, str]:
    """The answer's id in the button, and the id of the person who pressed it."""
    return str(body["actions"][0].get("value", "")), body["user"]["id"]
