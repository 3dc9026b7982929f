"""`/lorebot` and its buttons: every act of an admin is checked, logged and answered privately."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt import Respond
from slack_sdk import WebClient

from bot.domain.errors import LorebotError
from bot.slack.admin.authority import Authority
from bot.slack.rendering.messages import SlackMessage, paragraph
from bot.slack.rendering.mrkdwn import safe_line
from bot.slack.replies.gate import Admission, Gate
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

COMMAND = "/lorebot"
_CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|[^>]*)?>|([CG][A-Z0-9]{5,})")
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>|([UW][A-Z0-9]{5,})")

OnClick = Callable[[str, str], SlackMessage | None]
"""Carries out a button: from its value and the clicker's id to what to say."""


class UsageError(LorebotError):
    """A subcommand was typed in a way it does not know; the message says which way it does."""


@dataclass(frozen=True, slots=True)
class Call:
    """One `/lorebot …`: ``words`` are what follows the subcommand."""

    words: tuple[str, ...]
    user: str
    channel: str
    trigger: str
    client: WebClient


class Subcommand(Protocol):
    """A group of acts. ``usage`` is shown in the list of all; its first word is the name."""

    usage: str

    def run(self, call: Call) -> SlackMessage | None:
        """What to say to the admin; None where a modal says it. Raises LorebotError."""
        ...


class Command:
    """Dispatches to the subcommands."""

    def __init__(self, authority: Authority, subcommands: Sequence[Subcommand]) -> None:
        self._authority = authority
        self._subcommands = {each.usage.partition(" ")[0]: each for each in subcommands}

    def listen(self, gate: Gate) -> None:
        gate.lazy_command(COMMAND, self.on_command, Admission.ADMIN)

    def on_command(self, body: dict[str, Any], client: WebClient, respond: Respond) -> None:
        _respond(respond, lambda: self._answer(body, client))

    def _answer(self, body: dict[str, Any], client: WebClient) -> SlackMessage | None:
        name, *words = str(body.get("text", "")).split() or ["help"]
        subject = " ".join(words)
        chosen = self._subcommands.get(name.lower())
        action = name.lower() if chosen or name == "help" else "unknown"
        subject = subject if chosen else ""
        with self._authority.acting(client, body["user_id"], action, subject) as ended:
            if chosen is None:
                ended("done" if name == "help" else "not known")
                return self._help(name)
            return chosen.run(
                Call(
                    words=tuple(words),
                    user=body["user_id"],
                    channel=body["channel_id"],
                    trigger=body.get("trigger_id") or "",
                    client=client,
                )
            )

    def _help(self, name: str) -> SlackMessage:
        known = "\n".join(f"•  `{COMMAND} {each.usage}`" for each in self._subcommands.values())
        unknown = "" if name == "help" else f"There is no `{safe_line(name, 40)}`. "
        return paragraph(f"{unknown}I know:\n{known}")


def on_click(
    gate: Gate,
    authority: Authority,
    action_id: str,
    action: str,
    carry_out: OnClick,
    *,
    replace: bool = False,
) -> None:
    """Register a button that only admins may press; ``action`` is its name in the audit log.

    With ``replace``, the answer takes the place of the message that held the button.
    """

    def clicked(body: dict[str, Any], client: WebClient, respond: Respond) -> None:
        value = str(body["actions"][0].get("value", ""))
        user = body["user"]["id"]

        def act() -> SlackMessage | None:
            with authority.acting(client, user, action, value):
                return carry_out(value, user)

        _respond(respond, act, replace=replace)

    gate.lazy_action(action_id, clicked, Admission.ADMIN)


def channel_id(word: str) -> str:
    """The id in a channel's mention, or typed as such; "" where the word is neither."""
    found = _CHANNEL.fullmatch(word)
    return found[1] or found[2] if found else ""


def person_id(word: str) -> str:
    """As ``channel_id``, of a person."""
    found = _PERSON.fullmatch(word)
    return found[1] or found[2] if found else ""


def _respond(
    respond: Respond, act: Callable[[], SlackMessage | None], *, replace: bool = False
) -> None:
    """Carry out an act and tell only the person who asked; a failure is a sentence too."""
    try:
        message = act()
    except (LorebotError, IndexerError) as error:
        message = paragraph(f":warning: {safe_line(str(error), 2_000)}")
    except Exception:  # noqa: BLE001 - a bug must not leave an admin in silence
        reference = uuid.uuid4().hex[:8]
        _log.exception("An admin's act failed (reference %s).", reference)
        message = paragraph(f":warning: Something went wrong on my side. (Reference {reference})")
    if message is not None:
        respond(response_type="ephemeral", replace_original=replace, **message.arguments)
