"""Registers listeners, each behind the one check of who may act; features are never given the app.

An act is checked by ``Audiences.check``, which also decides for whom a question is answered. What
cannot be checked is not done, and the person is told why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from slack_bolt import Ack, App, BoltResponse
from slack_sdk import WebClient

from bot.domain.values import Asked
from bot.slack.connection.calls import SlackCallFailed
from bot.slack.rendering.blocks import modal, plain_text
from bot.slack.rendering.messages import SlackMessage, note
from bot.slack.rendering.phrases import Phrasebook
from bot.slack.replies.audience import Audiences, Refused
from bot.slack.replies.ephemeral import answer_click, post_directly, post_note

_log = logging.getLogger(__name__)

_NOT_THERE = ("channel_not_found", "not_in_channel")

Listener = Callable[..., Any]
Act = Callable[[], None]
"""What an event asks the bot to do."""
Decide = Callable[[dict[str, Any], dict[str, Any]], Asked | Act | None]
"""From an event and its body to what is to be done; decides, and does nothing yet."""


class Admission(Enum):
    """Who may do what a listener does."""

    MAY_ASK = auto()
    """Only people who may ask here; checked before the listener runs."""
    QUESTION = auto()
    """It takes a question, which is kept first and checked by the job that answers it."""
    ADMIN = auto()
    """Only admins, which ``Authority`` checks and logs at each act."""
    OWN = auto()
    """Everybody: it shows, stops or takes back what that person alone has asked or said."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Who acts, and where; ``channel`` is "" where it is in none."""

    person: str
    channel: str
    is_direct: bool
    is_shared: bool | None
    thread: str | None


class Gate:
    """What features register their listeners with.

    Every listener names its ``Admission``; without one it is MAY_ASK.
    """

    def __init__(
        self, app: App, client: WebClient, audiences: Audiences, phrasebook: Phrasebook
    ) -> None:
        self._app = app
        self._client = client
        self._audiences = audiences
        self._phrasebook = phrasebook

    def action(
        self, action_id: str, listener: Listener, admission: Admission = Admission.MAY_ASK
    ) -> None:
        self._add(self._app.action, action_id, listener, admission)

    def view(
        self, callback_id: str, listener: Listener, admission: Admission = Admission.MAY_ASK
    ) -> None:
        self._add(self._app.view, callback_id, listener, admission)

    def message_shortcut(
        self, callback_id: str, listener: Listener, admission: Admission = Admission.MAY_ASK
    ) -> None:
        which = {"type": "message_action", "callback_id": callback_id}
        self._add(self._app.shortcut, which, listener, admission)

    def command(
        self, name: str, listener: Listener, admission: Admission = Admission.MAY_ASK
    ) -> None:
        self._add(self._app.command, name, listener, admission)

    def lazy_action(
        self, action_id: str, listener: Listener, admission: Admission = Admission.MAY_ASK
    ) -> None:
        """As ``action``; the receipt goes out before the listener runs."""
        self._add(self._app.action, action_id, listener, admission, lazy=True)

    def lazy_command(
        self, name: str, listener: Listener, admission: Admission = Admission.MAY_ASK
    ) -> None:
        """As ``command``; the receipt goes out before the listener runs."""
        self._add(self._app.command, name, listener, admission, lazy=True)

    def own_event(self, name: str, listener: Listener, *, lazy: bool = False) -> None:
        """Events that are about what is the person's own: ``Admission.OWN``."""
        self._add(self._app.event, name, listener, Admission.OWN, lazy=lazy)

    def event(self, name: str, decide: Decide, take: Callable[[Asked], None] | None = None) -> None:
        """Most events are none of the bot's business: only what ``decide`` returns is checked.

        A question goes to ``take``, see ``Admission.QUESTION``; an act is carried out for people
        who may ask there. Where trying again may help, Slack gets no receipt and sends the event
        again.
        """

        def heard(event: dict[str, Any], body: dict[str, Any]) -> None:
            decided = decide(event, body)
            if isinstance(decided, Asked):
                if take is None:
                    raise TypeError(f"{name} takes no questions.")
                take(decided)
            elif decided is not None:
                place = _place_of_event(event, body)
                phrase = self._refusal(place, retry=True)
                if phrase:
                    self._tell(place, phrase)
                else:
                    decided()

        self._app.event(name)(heard)

    def refusal(self, person: str) -> str:
        """Why this person may not ask anywhere, in a sentence; "" where they may."""
        phrase = self._refusal(_Place(person, "", True, False, None))
        return str(getattr(self._phrasebook.for_person(person), phrase)) if phrase else ""

    def _add(
        self,
        register: Callable[..., Callable[..., Any]],
        which: Any,
        listener: Listener,
        admission: Admission,
        *,
        lazy: bool = False,
    ) -> None:
        middleware = [self._check] if admission is Admission.MAY_ASK else []
        add = register(which, middleware=middleware)
        if lazy:
            add(ack=acknowledge, lazy=[listener])
        else:
            add(listener)

    def _check(
        self, ack: Ack, body: dict[str, Any], next: Callable[[], Any]
    ) -> BoltResponse | None:
        """As Bolt's middleware of one listener, which runs only after ``next``."""
        place = _place_of(body)
        phrase = self._refusal(place)
        if not phrase:
            next()
            return None
        phrases = self._phrasebook.for_person(place.person)
        sentence = str(getattr(phrases, phrase))
        if "command" in body:
            return ack(text=sentence)
        if body.get("type") == "view_submission":
            told = {"type": "section", "text": plain_text(sentence)}
            view = modal("Lorebot", [told], close=phrases.close)
            return ack(response_action="update", view=view)
        receipt = ack()
        if place.channel:
            answer_click(self._client, body, note(sentence))
        else:
            self._tell_directly(place.person, note(sentence))
        return receipt

    def _refusal(self, place: _Place, *, retry: bool = False) -> str:
        """The name of the phrase that refuses; "" for people who may ask there.

        With ``retry``, raises SlackCallFailed where trying again may help.
        """
        try:
            self._audiences.check(
                place.person,
                place.channel,
                is_direct=place.is_direct,
                is_shared=place.is_shared,
                quickly=True,
            )
        except Refused as refused:
            return refused.phrase
        except SlackCallFailed as error:
            if retry and error.temporary:
                raise
            _log.warning("An act is refused: %s", error)
            return "not_there" if error.reason in _NOT_THERE else "not_checked"
        return ""

    def _tell(self, place: _Place, phrase: str) -> None:
        told = note(getattr(self._phrasebook.for_person(place.person), phrase))
        post_note(self._client, place.channel, place.person, told, thread=place.thread)

    def _tell_directly(self, person: str, told: SlackMessage) -> None:
        try:
            post_directly(self._client, person, told)
        except SlackCallFailed as error:
            _log.warning("%s", error)


def acknowledge(ack: Ack) -> None:
    """The receipt goes out before anything is looked up."""
    ack()


def _place_of(body: dict[str, Any]) -> _Place:
    """Of a click, a form, a shortcut or a command. What only one person sees is direct."""
    person = str(body.get("user_id") or (body.get("user") or {}).get("id") or "")
    channel = str(body.get("channel_id") or (body.get("channel") or {}).get("id") or "")
    alone = bool((body.get("container") or {}).get("is_ephemeral")) or "command" in body
    return _Place(person, channel, alone or not channel or channel.startswith("D"), None, None)


def _place_of_event(event: dict[str, Any], body: dict[str, Any]) -> _Place:
    item = event.get("item") or {}
    channel = str(event.get("channel") or item.get("channel") or "")
    is_direct = event.get("channel_type") == "im" or channel.startswith("D")
    thread = event.get("thread_ts")
    return _Place(
        str(event.get("user") or ""), channel, is_direct, body.get("is_ext_shared_channel"), thread
    )
