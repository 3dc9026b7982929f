"""Buttons that only admins may press: checked and written down as if typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt import App, Respond
from slack_sdk import WebClient

from bot.slack.admin.authority import Authority
from bot.slack.admin.command import acknowledge, say
from bot.slack.rendering.said import Said

Act = Callable[[str, str], Said | None]
"""From the button's value and the person's id to what to say."""


def on_click(
    app: App, authority: Authority, action_id: str, action: str, act: Act, *, replace: bool = False
) -> None:
    """With ``replace``, what is said takes the place of the message that held the button."""

    def clicked(body: dict[str, Any], client: WebClient, respond: Respond) -> None:
        value = str(body["actions"][0].get("value", ""))
        user = body["user"]["id"]

        def carry_out() -> Said | None:
            with authority.acting(client, user, action, value):
                return act(value, user)

        say(respond, carry_out, replace=replace)

    app.action(action_id)(ack=acknowledge, lazy=[clicked])
