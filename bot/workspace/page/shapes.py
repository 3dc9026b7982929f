"""What the page is told, always as one person sees it."""

from collections.abc import Callable

from bot.workspace.delivery.interactions import Interactions
from bot.workspace.state.assistant import Status
from bot.workspace.state.models import Channel, Message, Payload, Person
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.manifest import AppManifest, Command, Shortcut
from bot.workspace.wire.references import pinged
from bot.workspace.wire.shapes import group_shape, message_shape, view_shape


class PageShapes:
    """Builds the page's JSON. `read` holds, by person and channel, the last ts seen."""

    def __init__(
        self,
        state: WorkspaceState,
        interactions: Interactions,
        manifest: AppManifest,
        everybody: Callable[[], list[Payload]],
    ) -> None:
        self._state = state
        self._interactions = interactions
        self._manifest = manifest
        self._everybody = everybody
        self.read: dict[tuple[str, str], str] = {}

    def snapshot(self, user_id: str, *, connected: bool) -> Payload:
        """Everything one person sees."""
        channels = self._state.channels_of(user_id)
        return {
            "type": "snapshot",
            "workspace": self._state.team_name,
            "me": user_id,
            "bot": self._state.bot.id,
            "connected": connected,
            "teams": self._everybody(),
            "commands": [_command(command) for command in self._manifest.commands or ()],
            "shortcuts": [_shortcut(shortcut) for shortcut in self._manifest.shortcuts],
            "groups": [group_shape(self._state, group) for group in self._state.groups],
            "people": [_person(person) for person in self._state.people],
            "channels": [self.channel(user_id, channel) for channel in channels],
            "open_channels": self._open_channels(user_id),
            "messages": [
                self.message(user_id, message)
                for channel in channels
                for message in self._state.messages(channel.id)
                if message.visible_to(user_id)
            ],
            **self.views(user_id),
        }

    def channel(self, user_id: str, channel: Channel) -> Payload:
        return {
            "id": channel.id,
            "kind": channel.kind,
            "is_shared": channel.is_ext_shared,
            "name": self._name(user_id, channel),
            "topic": channel.topic,
            "members": list(channel.members),
            "read": self.read.get((user_id, channel.id), ""),
            **self.assistant(channel.id),
        }

    def assistant(self, channel_id: str) -> Payload:
        """The statuses and prompts of a channel."""
        prompts = self._state.assistant.prompts(channel_id)
        statuses = self._state.assistant.statuses(channel_id)
        return {
            "statuses": [_status(status) for status in statuses],
            "prompts": {"title": prompts.title, "prompts": list(prompts.prompts)}
            if prompts
            else None,
            "titles": self._state.assistant.titles(channel_id),
        }

    def _open_channels(self, user_id: str) -> list[Payload]:
        """The public channels a person could join; guests can join none."""
        if self._state.person(user_id).is_guest:
            return []
        return [
            {"id": channel.id, "name": channel.name, "topic": channel.topic}
            for channel in self._state.channels
            if channel.kind == "channel" and user_id not in channel.members
        ]

    def message(self, user_id: str, message: Message) -> Payload:
        return {
            **message_shape(self._state, message),
            "channel": message.channel,
            "feedback": self._interactions.feedback(user_id, message.channel, message.ts),
            "pings_me": user_id in pinged(self._state, message),
        }

    def views(self, user_id: str) -> Payload:
        """The modal and the App Home a person sees, None where there is none."""
        modal, home = self._state.views.modal(user_id), self._state.views.home(user_id)
        return {
            "modal": view_shape(self._state, modal) if modal else None,
            "home": view_shape(self._state, home) if home else None,
        }

    def _name(self, user_id: str, channel: Channel) -> str:
        if not (channel.is_im or channel.is_mpim):
            return channel.name
        others = [id_ for id_ in channel.members if id_ != user_id] or [user_id]
        return ", ".join(self._state.person(other).display_name for other in others)


def _person(person: Person) -> Payload:
    return {
        "id": person.id,
        "name": person.display_name,
        "title": person.title,
        "is_bot": person.is_bot,
        "is_guest": person.is_guest,
        "is_external": bool(person.team_id),
    }


def _command(command: Command) -> Payload:
    return {
        "name": command.name,
        "description": command.description,
        "usage_hint": command.usage_hint,
    }


def _shortcut(shortcut: Shortcut) -> Payload:
    return {
        "callback_id": shortcut.callback_id,
        "name": shortcut.name,
        "on_message": shortcut.on_message,
    }


def _status(status: Status) -> Payload:
    return {
        "thread_ts": status.thread_ts,
        "text": status.text,
        "loading_messages": list(status.loading_messages),
        "can_stop": status.can_stop,
    }
