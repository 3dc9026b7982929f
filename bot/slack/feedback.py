"""Feedback buttons: a click is a vote, kept before it is thanked for."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.domain import Thumb, Vote
from bot.records.votes import Votes
from bot.slack.blocks import FEEDBACK_ACTION, THANKS
from bot.slack.calls import SlackCallFailed, slack_call

_log = logging.getLogger(__name__)

_GONE = "That answer is no longer in my records, so your vote could not be kept."


def listen(app: App, votes: Votes) -> None:
    @app.action(FEEDBACK_ACTION)
    def voted(ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        vote = _vote(body)
        kept = vote is not None and votes.cast(vote)
        ack()
        text = THANKS[vote.thumb] if vote and kept else _GONE
        _tell(client, body, text)


def _vote(body: dict[str, Any]) -> Vote | None:
    """The vote in a click, or None where its value is none of ours."""
    thumb, _, answer_id = str(body["actions"][0].get("value", "")).partition(":")
    if thumb not in tuple(Thumb) or not answer_id:
        return None
    return Vote(answer_id=answer_id, voter=body["user"]["id"], thumb=Thumb(thumb))


def _tell(client: WebClient, body: dict[str, Any], text: str) -> None:
    """Visible to the voter alone; the vote stands even if Slack will not say thanks."""
    message = body.get("message", {})
    try:
        with slack_call("thank a voter"):
            client.chat_postEphemeral(
                channel=body["channel"]["id"],
                user=body["user"]["id"],
                thread_ts=message.get("thread_ts") or message.get("ts"),
                text=text,
            )
    except SlackCallFailed as error:
        _log.warning("%s", error)
