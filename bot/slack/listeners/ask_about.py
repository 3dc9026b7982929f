"""The message shortcut "Ask about this": a form with the message quoted, answered in its thread."""

from __future__ import annotations

import json
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.domain.values import Asked, Occasion
from bot.slack.rendering.blocks import Block, filled_in, input_block, modal, section
from bot.slack.rendering.mrkdwn import cut, plain_question, safe_mrkdwn
from bot.slack.rendering.phrases import Phrasebook, Phrases
from bot.slack.replies.ephemeral import open_form
from bot.slack.replies.gate import Admission, Gate
from bot.slack.replies.questions import Questions

_SHORTCUT, _FORM, _QUESTION = "ask_about_this", "ask_about_form", "question"
_QUOTED_CHARACTERS = 1_000
_QUESTION_CHARACTERS = 1_000


class AskAbout:
    def __init__(self, client: WebClient, questions: Questions, phrasebook: Phrasebook) -> None:
        self._client = client
        self._questions = questions
        self._phrasebook = phrasebook

    def listen(self, gate: Gate) -> None:
        gate.message_shortcut(_SHORTCUT, self.on_shortcut)
        gate.view(_FORM, self.on_form, Admission.QUESTION)

    def on_shortcut(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        view = _form(body, self._phrasebook.for_person(body["user"]["id"]))
        open_form(self._client, body, view)

    def on_form(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        self._questions.take(_asked(body, view))
        ack()


def _form(body: dict[str, Any], phrases: Phrases) -> Block:
    message = body["message"]
    quoted = cut(plain_question(message.get("text") or ""), _QUOTED_CHARACTERS)
    place = {
        "channel": body["channel"]["id"],
        "thread": message.get("thread_ts") or message["ts"],
        "quoted": quoted,
    }
    quotation = "\n".join(f"&gt; {line}" for line in safe_mrkdwn(quoted or "…").splitlines())
    question = {
        "type": "plain_text_input",
        "action_id": _QUESTION,
        "max_length": _QUESTION_CHARACTERS,
    }
    return modal(
        phrases.about_title,
        [
            section(quotation),
            input_block(phrases.about_question, question, hint=phrases.about_hint),
        ],
        callback_id=_FORM,
        metadata=json.dumps(place),
        submit=phrases.ask,
        close=phrases.cancel,
    )


def _asked(body: dict[str, Any], view: dict[str, Any]) -> Asked:
    """The question and, below it, the words it is about."""
    place = json.loads(view["private_metadata"])
    typed = str(filled_in(view)[_QUESTION].get("value") or "")
    channel = place["channel"]
    return Asked(
        id=f"form:{view['id']}",
        event_id="",
        channel=channel,
        thread=place["thread"],
        asker=body["user"]["id"],
        text="\n".join(filter(None, (plain_question(typed), place["quoted"]))),
        is_direct=channel.startswith("D"),
        is_shared=None,
        team=str((body.get("team") or {}).get("id") or ""),
        occasion=Occasion.SHORTCUT,
    )
