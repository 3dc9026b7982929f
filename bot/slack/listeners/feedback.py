"""Feedback: buttons and 👍/👎 reactions are the same vote, kept before it is thanked for."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.domain.values import Thumb, Vote
from bot.records.answers import Answers
from bot.records.feedback import Corrections, Votes
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.rendering.blocks import FEEDBACK_ACTION, Rendered, button, note
from bot.slack.rendering.feedback_form import FEEDBACK_FORM, feedback_form, given_correction
from bot.slack.rendering.phrases import Phrases
from bot.slack.rendering.spoken import Spoken
from bot.slack.replies.tell import put_in_place, tell, tell_clicker
from bot.telemetry.counters import VOTES

_log = logging.getLogger(__name__)

_WITHDRAW, _TELL_MORE = "withdraw_vote", "tell_more"
_REACTIONS = {
    "+1": Thumb.UP,
    "thumbsup": Thumb.UP,
    "-1": Thumb.DOWN,
    "thumbsdown": Thumb.DOWN,
}


class Feedback:
    def __init__(
        self,
        client: WebClient,
        answers: Answers,
        votes: Votes,
        corrections: Corrections,
        spoken: Spoken,
    ) -> None:
        self._client = client
        self._answers = answers
        self._votes = votes
        self._corrections = corrections
        self._spoken = spoken

    def listen(self, app: App) -> None:
        app.action(FEEDBACK_ACTION)(self._pressed)
        app.action(_WITHDRAW)(self._withdrawn)
        app.action(_TELL_MORE)(self._told_more)
        app.view(FEEDBACK_FORM)(self._filled_in)
        app.event("reaction_added")(self._reacted)
        app.event("reaction_removed")(self._took_back)

    def _pressed(self, ack: Ack, body: dict[str, Any]) -> None:
        """A 👎 also opens the form."""
        vote = _vote(body)
        kept = vote is not None and self._cast(vote)
        ack()
        if vote is None or not kept:
            spoken = self._spoken.to_person(body["user"]["id"])
            tell_clicker(self._client, body, note(spoken.vote_gone))
            return
        opened = vote.thumb is Thumb.DOWN and self._open_form(body, vote.answer_id)
        tell_clicker(self._client, body, self._thanks(vote, form_is_open=opened))

    def _told_more(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self._open_form(body, body["actions"][0]["value"])

    def _filled_in(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Thanks replace the form, which is all that the voter looks at now."""
        person = body["user"]["id"]
        correction = given_correction(view, person)
        kept = correction is None or self._corrections.give(correction)
        spoken = self._to(person, view["private_metadata"])
        if correction is None:
            ack()
            return
        thanks = spoken.learned if correction.may_learn else spoken.corrected
        ack(response_action="update", view=_closing(thanks if kept else spoken.vote_gone, spoken))

    def _withdrawn(self, ack: Ack, body: dict[str, Any]) -> None:
        answer_id, person = body["actions"][0]["value"], body["user"]["id"]
        self._votes.withdraw(answer_id, person, at=_moment(body["actions"][0].get("action_ts")))
        self._corrections.withdraw(answer_id, person)
        ack()
        put_in_place(body, note(self._to(person, answer_id).withdrawn))

    def _reacted(self, event: dict[str, Any]) -> None:
        thumb, answer_id = self._meant(event)
        if thumb is None or answer_id is None:
            return
        vote = Vote(answer_id, event["user"], thumb, _moment(event.get("event_ts")))
        if self._cast(vote):
            item = event["item"]
            thanks = self._thanks(vote, form_is_open=False)
            tell(self._client, item["channel"], event["user"], thanks, thread=self._thread(vote))

    def _took_back(self, event: dict[str, Any]) -> None:
        """Only the vote that the reaction was; a newer one of the other kind stands."""
        thumb, answer_id = self._meant(event)
        if thumb is not None and answer_id is not None:
            at = _moment(event.get("event_ts"))
            self._votes.withdraw(answer_id, event["user"], thumb, at)

    def _meant(self, event: dict[str, Any]) -> tuple[Thumb | None, str | None]:
        """A thumb, in whatever colour, and the answer it is put on; None where it is neither."""
        thumb = _REACTIONS.get(str(event.get("reaction", "")).partition("::")[0])
        item = event.get("item") or {}
        if thumb is None or item.get("type") != "message":
            return None, None
        return thumb, self._answers.answered_by(item["channel"], item["ts"])

    def _cast(self, vote: Vote) -> bool:
        kept = self._votes.cast(vote)
        if kept:
            VOTES.labels(vote.thumb).inc()
        return kept

    def _open_form(self, body: dict[str, Any], answer_id: str) -> bool:
        view = feedback_form(answer_id, self._to(body["user"]["id"], answer_id))
        try:
            with slack_call("open a form"):
                self._client.views_open(trigger_id=body["trigger_id"], view=view)
        except SlackCallFailed as error:
            _log.warning("%s", error)
            return False
        return True

    def _thanks(self, vote: Vote, *, form_is_open: bool) -> Rendered:
        spoken = self._to(vote.voter, vote.answer_id)
        buttons = [button(_WITHDRAW, spoken.withdraw, vote.answer_id)]
        if vote.thumb is Thumb.DOWN and not form_is_open:
            buttons.insert(0, button(_TELL_MORE, spoken.tell_more, vote.answer_id))
        return note(
            spoken.thanks_up if vote.thumb is Thumb.UP else spoken.thanks_down,
            buttons,
        )

    def _thread(self, vote: Vote) -> str | None:
        answer = self._answers.answer(vote.answer_id)
        return answer.question.thread or None if answer else None

    def _to(self, person: str, answer_id: str) -> Phrases:
        answer = self._answers.answer(answer_id)
        return self._spoken.to_person(person, answer.question if answer else None)


def _vote(body: dict[str, Any]) -> Vote | None:
    """The vote in a click, or None where its value is none of ours."""
    action = body["actions"][0]
    thumb, _, answer_id = str(action.get("value", "")).partition(":")
    if thumb not in tuple(Thumb) or not answer_id:
        return None
    return Vote(answer_id, body["user"]["id"], Thumb(thumb), _moment(action.get("action_ts")))


def _moment(ts: object) -> datetime:
    """When something happened by Slack's clock, which orders what Slack may tell late or twice."""
    return datetime.fromtimestamp(float(str(ts)), UTC) if ts else datetime.now(UTC)


def _closing(sentence: str, spoken: Phrases) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": spoken.feedback_title},
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": sentence}}],
    }
