"""`/lorebot`: one way in for every subcommand: checked, written down, answered to one person."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt import Ack, App, Respond
from slack_sdk import WebClient

from bot.domain.errors import LorebotError
from bot.slack.admin.authority import Authority
from bot.slack.rendering.said import Said, plain, safe
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

COMMAND = "/lorebot"


class Usage(LorebotError):
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

    def run(self, call: Call) -> Said | None:
        """What to say to the admin; None where a modal says it. Raises LorebotError."""
        ...


class Command:
    """Dispatches to the subcommands."""

    def __init__(self, authority: Authority, subcommands: Sequence[Subcommand]) -> None:
        self._authority = authority
        self._subcommands = {each.usage.partition(" ")[0]: each for each in subcommands}

    def listen(self, app: App) -> None:
        app.command(COMMAND)(ack=acknowledge, lazy=[self._run])

    def _run(self, body: dict[str, Any], client: WebClient, respond: Respond) -> None:
        say(respond, lambda: self._answer(body, client))

    def _answer(self, body: dict[str, Any], client: WebClient) -> Said | None:
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

    def _help(self, name: str) -> Said:
        known = "\n".join(f"•  `{COMMAND} {each.usage}`" for each in self._subcommands.values())
        unknown = "" if name == "help" else f"There is no `{safe(name, 40)}`. "
        return plain(f"{unknown}I know:\n{known}")


def acknowledge(ack: Ack) -> None:
    """The receipt goes out before anything is looked up."""
    ack()


def say(respond: Respond, act: Callable[[], Said | None], *, replace: bool = False) -> None:
    """Carry out an act and tell only the person who asked; a failure is a sentence too."""
    try:
        said = act()
    except (LorebotError, IndexerError) as error:
        said = plain(f":warning: {safe(str(error), 2_000)}")
    except Exception:  # noqa: BLE001 - a bug must not leave an admin in silence
        reference = uuid.uuid4().hex[:8]
        _log.exception("An admin's act failed (reference %s).", reference)
        said = plain(f":warning: Something went wrong on my side. (Reference {reference})")
    if said is not None:
        respond(response_type="ephemeral", replace_original=replace, **said.body)
