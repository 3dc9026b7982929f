"""What the page is told, always as one person sees it."""

from bot.workspace.assistant import Status
from bot.workspace.interactions import Interactions
from bot.workspace.models import Channel, Message, Payload, Person
from bot.workspace.shapes import message_shape, view_shape
from bot.workspace.state import WorkspaceState


class PageShapes:
    """Builds the page's JSON. `read` holds, by person and channel, the last ts seen."""

    def __init__(self, state: WorkspaceState, interactions: Interactions) -> None:
        self._state = state
        self._interactions = interactions
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
            "people": [_person(person) for person in self._state.people],
            "channels": [self.channel(user_id, channel) for channel in channels],
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
        }

    def message(self, user_id: str, message: Message) -> Payload:
        return {
            **message_shape(self._state, message),
            "channel": message.channel,
            "feedback": self._interactions.feedback(user_id, message.channel, message.ts),
        }

    def views(self, user_id: str) -> Payload:
        """The modal and the App Home a person sees, None where there is none."""
        modal, home = self._state.views.modal(user_id), self._state.views.home(user_id)
        return {
            "modal": view_shape(self._state, modal) if modal else None,
            "home": view_shape(self._state, home) if home else None,
        }

    def _name(self, user_id: str, channel: Channel) -> str:
        if not channel.is_im:
            return channel.name
        others = [id_ for id_ in channel.members if id_ != user_id] or [user_id]
        return self._state.person(others[0]).display_name


def _person(person: Person) -> Payload:
    return {
        "id": person.id,
        "name": person.display_name,
        "title": person.title,
        "is_bot": person.is_bot,
        "is_guest": person.is_restricted or person.is_ultra_restricted,
    }


def _status(status: Status) -> Payload:
    return {
        "thread_ts": status.thread_ts,
        "text": status.text,
        "loading_messages": list(status.loading_messages),
    }
