"""``/ask``: answered for the asker alone, from all they may read; the question can be shared."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.domain.values import Answer, Asked, Occasion
from bot.jobs.durable import Jobs
from bot.records.answers import Answers
from bot.slack.connection.calls import SlackCallFailed, slack_call, temporary
from bot.slack.connection.clients import retrying_only_refusals
from bot.slack.rendering.messages import SHARE_ACTION, note
from bot.slack.rendering.mrkdwn import plain_question, safe_mrkdwn
from bot.slack.rendering.phrases import Phrasebook
from bot.slack.replies.audience import Audiences, Refused
from bot.slack.replies.ephemeral import answer_click, post_directly
from bot.slack.replies.gate import Admission, Gate
from bot.slack.replies.questions import Questions

_log = logging.getLogger(__name__)

_COMMAND, _JOB, _EVENT_TYPE = "/ask", "share", "lorebot_shared"
_NEWEST = 100


class AskCommand:
    def __init__(
        self,
        client: WebClient,
        questions: Questions,
        answers: Answers,
        audiences: Audiences,
        phrasebook: Phrasebook,
        jobs: Jobs,
    ) -> None:
        self._client = client
        self._questions = questions
        self._answers = answers
        self._audiences = audiences
        self._phrasebook = phrasebook
        self._jobs = jobs
        jobs.register(_JOB, self._share)

    def listen(self, gate: Gate) -> None:
        gate.command(_COMMAND, self.on_command, Admission.QUESTION)
        gate.action(SHARE_ACTION, self.on_share)

    def on_command(self, ack: Ack, body: dict[str, Any]) -> None:
        asked = _asked(body)
        if not asked.text:
            ack(text=self._phrasebook.for_person(asked.asker).ask_how)
            return
        self._questions.take(asked)
        ack()  # without a word: what a command is acknowledged with can never be taken away

    def on_share(self, ack: Ack, body: dict[str, Any]) -> None:
        """For the asker alone, who alone is shown the button."""
        answer_id, person = body["actions"][0]["value"], body["user"]["id"]
        answer = self._answers.answer(answer_id)
        is_asker = answer is not None and answer.question.asker == person
        if is_asker:
            self._jobs.start(_JOB, answer_id)
        ack()
        phrases = self._phrasebook.for_person(person, answer)
        answer_click(self._client, body, note(phrases.sharing if is_asker else phrases.vote_gone))

    def _share(self, answer_id: str) -> None:
        """The job: nothing of the private answer is shown. The question is posted to the channel
        and answered anew, for its readers.
        """
        answer = self._answers.answer(answer_id)
        if answer is None:
            return  # forgotten meanwhile
        private = self._answers.asked(answer.question.id)
        shared = _in_channel(private)
        try:
            ts = self._jobs.step(
                "put", lambda: self._post_question(answer_id, answer, shared), temporary
            )
        except (SlackCallFailed, Refused) as error:
            _log.warning("Question %s is not shared: %s", private.id, error)
            phrases = self._phrasebook.for_reply(private)
            phrase = error.phrase if isinstance(error, Refused) else "not_there"
            told = note(getattr(phrases, phrase))
            self._jobs.step(
                "tell", lambda: post_directly(self._client, private.asker, told), temporary
            )
            return
        self._questions.take(_in_channel(private, ts))

    def _post_question(self, answer_id: str, answer: Answer, shared: Asked) -> str:
        """The timestamp of the message with the question, which is posted once.

        Raises Refused where nothing may be answered in the channel, and SlackCallFailed.
        """
        self._audiences.readers(shared)
        metadata = {"event_type": _EVENT_TYPE, "event_payload": {"answer": answer_id}}
        with slack_call("look for a shared question"):
            newest = self._client.conversations_history(
                channel=shared.channel, limit=_NEWEST, include_all_metadata=True
            )
        for message in newest["messages"]:
            if message.get("metadata") == metadata:
                return str(message["ts"])
        with slack_call("say who asks"):
            user = self._client.users_info(user=shared.asker)["user"]
        name = (user.get("profile") or {}).get("display_name") or user.get("name") or ""
        sharing = self._phrasebook.for_reply(shared).shared_by.format(name=safe_mrkdwn(str(name)))
        with slack_call("share a question"):
            posted = retrying_only_refusals(self._client).chat_postMessage(
                channel=shared.channel,
                text=f"{sharing}\n&gt; {safe_mrkdwn(answer.question.text)}",
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
            )
        return str(posted["ts"])


def _asked(body: dict[str, Any]) -> Asked:
    """A command has no message: only its trigger tells it from the next one."""
    return Asked(
        id=f"command:{body['trigger_id']}",
        event_id="",
        channel=body["channel_id"],
        thread="",
        asker=body["user_id"],
        text=plain_question(body.get("text") or ""),
        is_direct=True,
        team=str(body.get("team_id") or ""),
        occasion=Occasion.COMMAND,
        response_url=str(body.get("response_url") or ""),
    )


def _in_channel(private: Asked, ts: str = "") -> Asked:
    """The same question, asked of the channel's readers."""
    return Asked(
        id=f"{private.channel}:{ts}",
        event_id="",
        channel=private.channel,
        thread=ts,
        asker=private.asker,
        text=private.text,
        is_shared=None,
        team=private.team,
        occasion=Occasion.SHARED,
    )
