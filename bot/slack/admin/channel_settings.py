"""`/lorebot settings`: how this channel is served, in a modal."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.domain.errors import LorebotError
from bot.domain.prompts import PERSONA_CHARACTERS
from bot.records.channels import Channels, ChannelSettings
from bot.slack.admin.authority import Authority
from bot.slack.admin.command import Call, UsageError
from bot.slack.connection.calls import slack_call
from bot.slack.rendering.blocks import Block, filled_in, input_block, modal, option, section
from bot.slack.rendering.language_choice import chosen_language, language_select
from bot.slack.rendering.mrkdwn import cut, safe_line
from bot.slack.replies.gate import Admission, Gate

_log = logging.getLogger(__name__)

_CALLBACK, _TITLE = "channel_settings", "Channel settings"
_OPTIONS, _LABEL = 100, 75
"""Slack's limits of a select."""


class SettingsCommand:
    usage = "settings"

    def __init__(self, channels: Channels, authority: Authority, sources: Sequence[str]) -> None:
        """``sources`` are the names of all that are configured."""
        self._channels = channels
        self._authority = authority
        self._sources = tuple(sources)

    def listen(self, gate: Gate) -> None:
        gate.view(_CALLBACK, self.on_submit, Admission.ADMIN)

    def run(self, call: Call) -> None:
        if call.channel.startswith("D"):
            raise UsageError("Type this in the channel whose settings you want to see or change.")
        view = _modal(self._channels.of(call.channel), self._sources)
        with slack_call("open the settings"):
            call.client.views_open(trigger_id=call.trigger, view=view)

    def on_submit(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Not lazy: the receipt of a modal says what is shown next."""
        view, user = body["view"], body["user"]["id"]
        channel = str(view["private_metadata"])
        settings = _settings(channel, filled_in(view))
        if problems := self._problems(settings):
            ack(response_action="errors", errors=problems)
            return
        try:
            with self._authority.acting(client, user, "settings", channel):
                self._channels.save(settings)
            text = f"Saved. <#{channel}> is served like this from the next question on."
        except LorebotError as error:
            _log.warning("The settings of a channel were not saved: %s", error)
            text = f":warning: Nothing was saved. {safe_line(str(error), 1_000)}"
        ack(response_action="update", view=modal(_TITLE, [section(text)], close="Close"))

    def _problems(self, settings: ChannelSettings) -> dict[str, str]:
        """By field; Slack checks some of it too, but what it sends is not to be relied on."""
        problems = {}
        if len(settings.persona) > PERSONA_CHARACTERS:
            problems["persona"] = f"At most {PERSONA_CHARACTERS} characters, please."
        if gone := [name for name in settings.sources if name not in self._sources]:
            problems["sources"] = cut(f"No such source: {', '.join(gone)}", 200)
        return problems


def _settings(channel: str, values: Mapping[str, Any]) -> ChannelSettings:
    chosen = (values.get("sources") or {}).get("selected_options") or ()
    return ChannelSettings(
        channel=channel,
        auto_answer=bool(values["auto_answer"].get("selected_options")),
        owners=tuple(values["owners"].get("selected_users") or ()),
        language=chosen_language(values["language"]),
        persona=" ".join(str(values["persona"].get("value") or "").split()),
        sources=tuple(str(option["value"]) for option in chosen),
    )


def _modal(now: ChannelSettings, sources: Sequence[str]) -> Block:
    owners = {"type": "multi_users_select", "action_id": "owners"}
    blocks = [
        section(f"How I serve <#{now.channel}>"),
        input_block("Answer without being mentioned", _auto_answer(now.auto_answer), optional=True),
        input_block(
            "Owners",
            owners | ({"initial_users": list(now.owners)} if now.owners else {}),
            hint="Whom “ask a person” calls; their replies teach me.",
            optional=True,
        ),
        input_block("Language of the answers", language_select("language", now.language)),
        input_block(
            "Tone of the answers",
            _persona(now.persona),
            hint="For instance “a patient colleague, without jargon”. Heard where a language "
            "model writes; it changes what I sound like, never what I may say.",
            optional=True,
        ),
        *_sources(now.sources, sources),
    ]
    return modal(
        _TITLE,
        blocks,
        callback_id=_CALLBACK,
        metadata=now.channel,
        submit="Save",
        close="Cancel",
    )


def _auto_answer(on: bool) -> Block:
    answer_all = option("Answer every question of this channel", "on")
    element = {"type": "checkboxes", "action_id": "auto_answer", "options": [answer_all]}
    return element | ({"initial_options": [answer_all]} if on else {})


def _persona(now: str) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": "persona",
        "max_length": PERSONA_CHARACTERS,
    }
    return element | ({"initial_value": now} if now else {})


def _sources(now: Sequence[str], known: Sequence[str]) -> list[Block]:
    """A choice where there is one; what is chosen already comes first, or would be lost."""
    options = {
        name: option(cut(name, _LABEL), name)
        for name in sorted(known, key=lambda name: name not in now)[:_OPTIONS]
    }
    gone = [name for name in now if name not in known]
    hint = "Leave it empty to answer from all of them."
    if gone:
        hint += f" No longer there, so nothing is found in them: {', '.join(gone)}."
    if not options:
        return []
    chosen = [options[name] for name in now if name in options]
    element = {
        "type": "multi_static_select",
        "action_id": "sources",
        "options": list(options.values()),
    }
    element |= {"initial_options": chosen} if chosen else {}
    return [input_block("Answer only from", element, hint=cut(hint, 2_000), optional=True)]
