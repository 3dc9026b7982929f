"""Votes by button or 👍/👎 reaction, stored before they are thanked for, and corrections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.domain.values import Thumb, Vote
from bot.records.answers import Answers
from bot.records.feedback import Corrections, Votes
from bot.slack.rendering.blocks import button, modal, plain_text
from bot.slack.rendering.feedback_form import FEEDBACK_FORM, feedback_form, given_correction
from bot.slack.rendering.messages import FEEDBACK_ACTION, SlackMessage, note
from bot.slack.rendering.phrases import Phrasebook, Phrases
from bot.slack.replies.ephemeral import answer_click, open_form, post_note, replace_clicked
from bot.slack.replies.gate import Act, Admission, Gate
from bot.telemetry.counters import VOTES

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
        phrasebook: Phrasebook,
    ) -> None:
        self._client = client
        self._answers = answers
        self._votes = votes
        self._corrections = corrections
        self._phrasebook = phrasebook

    def listen(self, gate: Gate) -> None:
        gate.action(FEEDBACK_ACTION, self.on_thumb)
        gate.action(_WITHDRAW, self.on_withdraw, Admission.OWN)
        gate.action(_TELL_MORE, self.on_tell_more)
        gate.view(FEEDBACK_FORM, self.on_form)
        gate.event("reaction_added", self.on_reaction)
        gate.own_event("reaction_removed", self.on_reaction_removed)

    def on_thumb(self, ack: Ack, body: dict[str, Any]) -> None:
        """A 👎 also opens the form. A changed vote is not thanked for again, unless the form that
        asks why has to be offered: Slack lets no bot take back the note of the first.
        """
        vote = _vote(body)
        is_first = vote is None or not self._has_voted(vote)
        kept = vote is not None and self._cast(vote)
        ack()
        if vote is None or not kept:
            phrases = self._phrasebook.for_person(body["user"]["id"])
            answer_click(self._client, body, note(phrases.vote_gone))
            return
        opened = vote.thumb is Thumb.DOWN and self._open_form(body, vote.answer_id)
        if is_first or (vote.thumb is Thumb.DOWN and not opened):
            answer_click(self._client, body, self._thanks(vote, form_is_open=opened))

    def on_tell_more(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self._open_form(body, body["actions"][0]["value"])

    def on_form(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Thanks replace the form, which is all that the voter looks at now."""
        person = body["user"]["id"]
        correction = given_correction(view, person)
        kept = correction is None or self._corrections.give(correction)
        phrases = self._phrases_for(person, view["private_metadata"])
        if correction is None:
            ack()
            return
        thanks = phrases.learned if correction.may_learn else phrases.corrected
        told = {"type": "section", "text": plain_text(thanks if kept else phrases.vote_gone)}
        title = phrases.thanks_title if kept else phrases.feedback_title
        ack(response_action="update", view=modal(title, [told], close=phrases.close))

    def on_withdraw(self, ack: Ack, body: dict[str, Any]) -> None:
        answer_id, person = body["actions"][0]["value"], body["user"]["id"]
        self._votes.withdraw(answer_id, person, at=_moment(body["actions"][0].get("action_ts")))
        self._corrections.withdraw(answer_id, person)
        ack()
        replace_clicked(body, note(self._phrases_for(person, answer_id).withdrawn))

    def on_reaction(self, event: dict[str, Any], body: dict[str, Any]) -> Act | None:
        thumb, answer_id = self._thumb_and_answer(event)
        if thumb is None or answer_id is None:
            return None
        vote = Vote(answer_id, event["user"], thumb, _moment(event.get("event_ts")))
        return lambda: self._vote_by_reaction(vote, event["item"]["channel"])

    def on_reaction_removed(self, event: dict[str, Any]) -> None:
        """Only the vote that the reaction was; a newer one of the other kind stands."""
        thumb, answer_id = self._thumb_and_answer(event)
        if thumb is not None and answer_id is not None:
            at = _moment(event.get("event_ts"))
            self._votes.withdraw(answer_id, event["user"], thumb, at)

    def _vote_by_reaction(self, vote: Vote, channel: str) -> None:
        is_first = not self._has_voted(vote)
        if self._cast(vote) and (is_first or vote.thumb is Thumb.DOWN):
            thanks = self._thanks(vote, form_is_open=False)
            post_note(self._client, channel, vote.voter, thanks, thread=self._thread(vote))

    def _thumb_and_answer(self, event: dict[str, Any]) -> tuple[Thumb | None, str | None]:
        """The thumb, in any skin tone, and the answer it is on; None where it is not about one."""
        thumb = _REACTIONS.get(str(event.get("reaction", "")).partition("::")[0])
        item = event.get("item") or {}
        if thumb is None or item.get("type") != "message":
            return None, None
        return thumb, self._answers.answered_by(item["channel"], item["ts"])

    def _has_voted(self, vote: Vote) -> bool:
        return any(one.voter == vote.voter for one in self._votes.of(vote.answer_id))

    def _cast(self, vote: Vote) -> bool:
        kept = self._votes.cast(vote)
        if kept:
            VOTES.labels(vote.thumb).inc()
        return kept

    def _open_form(self, body: dict[str, Any], answer_id: str) -> bool:
        view = feedback_form(answer_id, self._phrases_for(body["user"]["id"], answer_id))
        return open_form(self._client, body, view)

    def _thanks(self, vote: Vote, *, form_is_open: bool) -> SlackMessage:
        phrases = self._phrases_for(vote.voter, vote.answer_id)
        buttons = [button(phrases.withdraw, _WITHDRAW, vote.answer_id)]
        if vote.thumb is Thumb.DOWN and not form_is_open:
            buttons.insert(0, button(phrases.tell_more, _TELL_MORE, vote.answer_id))
        return note(phrases.thanks, *buttons)

    def _thread(self, vote: Vote) -> str | None:
        answer = self._answers.answer(vote.answer_id)
        return answer.question.thread or None if answer else None

    def _phrases_for(self, person: str, answer_id: str) -> Phrases:
        return self._phrasebook.for_person(person, self._answers.answer(answer_id))


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
