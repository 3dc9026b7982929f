"""App Home: help, one's own questions and settings; for admins how the bot is doing."""

from __future__ import annotations

import logging
from typing import Any

from slack_sdk import WebClient

from bot.domain.errors import LorebotError
from bot.records.channels import People
from bot.records.forgetting import Forgetting
from bot.records.statistics import Statistics
from bot.slack.admin.authority import Authority
from bot.slack.admin.command import COMMAND
from bot.slack.admin.digest import UnansweredQuestions
from bot.slack.admin.forget import forget_person
from bot.slack.admin.overview import Overview
from bot.slack.admin.permalinks import Permalinks
from bot.slack.connection.calls import slack_call
from bot.slack.listeners.prompts import SuggestedPrompts
from bot.slack.rendering.blocks import Block, actions, button, context, header, section
from bot.slack.rendering.language_choice import chosen_language, language_select
from bot.slack.replies.gate import Admission, Gate
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

_LANGUAGE, _FORGET = "home_language", "home_forget_me"
_HELP = (
    "Mention me in a channel, write to me directly, or type `/ask`: I answer from your team's own "
    "documents and say which. :thumbsup: and :thumbsdown: under an answer teach me. What I show "
    "in a channel everybody there may read."
)


class Home:
    def __init__(
        self,
        statistics: Statistics,
        people: People,
        forgetting: Forgetting,
        overview: Overview,
        unanswered: UnansweredQuestions,
        permalinks: Permalinks,
        authority: Authority,
        gate: Gate,
        prompts: SuggestedPrompts,
    ) -> None:
        """``gate`` tells guests that they are not answered."""
        self._statistics = statistics
        self._people = people
        self._forgetting = forgetting
        self._overview = overview
        self._unanswered = unanswered
        self._permalinks = permalinks
        self._authority = authority
        self._gate = gate
        self._prompts = prompts

    def listen(self, gate: Gate) -> None:
        gate.own_event("app_home_opened", self.on_opened, lazy=True)
        gate.lazy_action(_LANGUAGE, self.on_language)
        gate.lazy_action(_FORGET, self.on_forget, Admission.OWN)

    def on_opened(self, event: dict[str, Any], client: WebClient) -> None:
        if event.get("tab") == "home":
            self._publish(client, event["user"])
        elif event.get("tab") == "messages":
            self._prompts.show(client, event["user"], str(event.get("channel") or ""))

    def on_language(self, body: dict[str, Any], client: WebClient) -> None:
        chosen = chosen_language(body["actions"][0])
        self._people.choose_language(body["user"]["id"], chosen)
        self._publish(client, body["user"]["id"], "Your language is kept.")

    def on_forget(self, body: dict[str, Any], client: WebClient) -> None:
        gone = forget_person(body["user"]["id"], self._forgetting, self._people)
        self._publish(client, body["user"]["id"], f"Forgotten: {gone}.")

    def _publish(self, client: WebClient, user: str, note: str = "") -> None:
        blocks = [
            *([context(f":white_check_mark: {note}")] if note else []),
            *self._own(client, user),
        ]
        try:
            if self._authority.is_admin(client, user):
                blocks += self._admins(client)
            with slack_call("show the home tab"):
                client.views_publish(user_id=user, view={"type": "home", "blocks": blocks})
        except (LorebotError, IndexerError) as error:
            _log.warning("The home tab could not be shown: %s", error)

    def _own(self, client: WebClient, user: str) -> list[Block]:
        recent = [
            f"•  {self._permalinks.question(client, one)}  —  {one.asked_at:%-d %b}"
            for one in self._statistics.of_person(user)
        ]
        chosen = self._people.language(user)
        return [
            header("Lorebot"),
            section(self._gate.refusal(user) or _HELP),
            header("Your questions"),
            section("\n".join(recent) or "You have not asked me anything yet."),
            header("Your settings"),
            section("In which language shall I answer you?")
            | {"accessory": language_select(_LANGUAGE, chosen)},
            actions(
                button(
                    "Forget me",
                    _FORGET,
                    style="danger",
                    confirm="Your questions with their answers, your votes, corrections and "
                    "settings are deleted for good.",
                )
            ),
        ]

    def _admins(self, client: WebClient) -> list[Block]:
        unanswered = self._unanswered.message(client)
        return [
            {"type": "divider"},
            header("For admins"),
            section("\n".join(self._overview.health())),
            section("\n".join(self._overview.freshness()) or "Nothing is indexed yet."),
            section(self._overview.serving()),
            section(self._overview.queue()),
            header("Votes, week by week"),
            section(self._overview.votes()),
            *unanswered.blocks,
            context(f"More: `{COMMAND} help`"),
        ]
