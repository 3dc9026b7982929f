"""What the app's manifest promises: scopes, events, commands, shortcuts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bot.workspace.state.models import Payload
from bot.workspace.web_api.scopes import ALL_SCOPES

_MESSAGE_EVENTS = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command; an escaped one gets mentions as "<@U0ALICE|alice>", not "@Alice"."""

    name: str
    description: str = ""
    usage_hint: str = ""
    escapes: bool = True


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut in a message's menu, or a global one."""

    callback_id: str
    name: str
    on_message: bool


@dataclass(frozen=True, slots=True)
class AppManifest:
    """What an app may do and hears. Without a manifest it may do and hears everything."""

    scopes: tuple[str, ...] = ALL_SCOPES
    events: frozenset[str] | None = None
    commands: tuple[Command, ...] | None = None
    shortcuts: tuple[Shortcut, ...] = ()

    @classmethod
    def read(cls, manifest: Mapping[str, Any] | None) -> Self:
        """Reads a manifest as Slack's app settings take it; None is no manifest."""
        if manifest is None:
            return cls()
        features = manifest.get("features", {})
        settings = manifest.get("settings", {})
        return cls(
            scopes=tuple(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ())),
            events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
            commands=tuple(_commands(features.get("slash_commands", ()))),
            shortcuts=tuple(_shortcuts(features.get("shortcuts", ()))),
        )

    def hears(self, event: Payload) -> bool:
        """Whether the app subscribed to an event."""
        if self.events is None:
            return True
        if event["type"] == "message":
            return _MESSAGE_EVENTS[event["channel_type"]] in self.events
        return event["type"] in self.events

    def knows(self, command: str) -> bool:
        """Whether the app has this slash command."""
        return self.commands is None or any(each.name == command for each in self.commands)

    def escapes(self, command: str) -> bool:
        return all(each.escapes for each in self.commands or () if each.name == command)


def _commands(entries: Iterable[Mapping[str, Any]]) -> Iterable[Command]:
    for entry in entries:
        yield Command(
            entry["command"],
            entry.get("description", ""),
            entry.get("usage_hint", ""),
            bool(entry.get("should_escape")),
        )


def _shortcuts(entries: Iterable[Mapping[str, Any]]) -> Iterable[Shortcut]:
    for entry in entries:
        yield Shortcut(entry["callback_id"], entry["name"], entry.get("type") == "message")
