"""Changes of a workspace, published to its listeners: the bot's events and the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bot.workspace.state.models import Channel, Message, Person


@dataclass(frozen=True, slots=True)
class Posted:
    message: Message


@dataclass(frozen=True, slots=True)
class Changed:
    """`announced` is False for the steps of a stream, which Slack does not tell bots about."""

    message: Message
    previous: Message
    announced: bool = True


@dataclass(frozen=True, slots=True)
class Deleted:
    message: Message


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction came (`added`) or went."""

    message: Message
    user: str
    name: str
    added: bool


@dataclass(frozen=True, slots=True)
class Joined:
    channel: Channel
    user: str


@dataclass(frozen=True, slots=True)
class Left:
    """A member left or was removed; `channel` is without them."""

    channel: Channel
    user: str


@dataclass(frozen=True, slots=True)
class PersonChanged:
    """A person is new, or became an admin or a guest, or has another name."""

    person: Person


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """A channel is new, or has another name, or is shared now."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class SessionStopped:
    """A person pressed "Stop"; `streams` are the answers that were being written then."""

    channel: str
    thread_ts: str
    user: str
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextChanged:
    """A person with the bot's pane open looks at another channel."""

    user: str
    channel: str


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """The workspace no longer has the app, or only its token is gone (`token_only`)."""

    token_only: bool


@dataclass(frozen=True, slots=True)
class HomeOpened:
    """A person looks at the bot's "home" or "messages" tab."""

    user: str
    tab: str


@dataclass(frozen=True, slots=True)
class AssistantChanged:
    """The status line or the suggested prompts of a conversation are different."""

    channel: str


@dataclass(frozen=True, slots=True)
class ViewsChanged:
    """The modal or the home of one person is different."""

    user: str


Change: TypeAlias = (
    Posted
    | Changed
    | Deleted
    | Reacted
    | Joined
    | Left
    | PersonChanged
    | ChannelChanged
    | SessionStopped
    | ContextChanged
    | Uninstalled
    | HomeOpened
    | AssistantChanged
    | ViewsChanged
)


class Changes:
    """Passes every change to every listener, at once and in order."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def publish(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)
