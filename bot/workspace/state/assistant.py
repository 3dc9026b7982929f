"""The assistant's status line, suggested prompts and titles, per conversation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.workspace.state.changes import AssistantChanged, Changes
from bot.workspace.state.models import Payload

STATUS_LIFETIME = 120.0
"""Seconds after which a status that was not set again is gone."""


@dataclass(frozen=True, slots=True)
class Status:
    """A line such as "is thinking…" and the messages to show in turn while it lasts.

    One of a session that is at work has a stop button. `since` is in seconds since the epoch.
    """

    channel: str
    thread_ts: str
    text: str
    loading_messages: tuple[str, ...] = ()
    can_stop: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Prompts:
    """Suggested prompts: objects of `title` and `message`."""

    title: str
    prompts: tuple[Payload, ...]


class Assistant:
    """Statuses by thread, suggested prompts by channel, titles by thread."""

    def __init__(self, changes: Changes, clock: Callable[[], float]) -> None:
        self._changes = changes
        self._clock = clock
        self._statuses: dict[tuple[str, str], Status] = {}
        self._prompts: dict[str, Prompts] = {}
        self._titles: dict[tuple[str, str], str] = {}

    def statuses(self, channel_id: str) -> tuple[Status, ...]:
        return tuple(each for each in self._statuses.values() if each.channel == channel_id)

    def prompts(self, channel_id: str) -> Prompts | None:
        return self._prompts.get(channel_id)

    def set_status(self, status: Status) -> None:
        """Shows a status; one without text clears what stood there."""
        if not status.text:
            self.clear_status(status.channel, status.thread_ts)
            return
        shown = replace(status, since=self._clock())
        self._statuses[status.channel, status.thread_ts] = shown
        self._changes.publish(AssistantChanged(status.channel))

    def clear_status(self, channel_id: str, thread_ts: str) -> None:
        if self._statuses.pop((channel_id, thread_ts), None) is not None:
            self._changes.publish(AssistantChanged(channel_id))

    def expire_overdue(self) -> None:
        """Clears the statuses that have stood for their time."""
        for status in list(self._statuses.values()):
            if self._clock() - status.since >= STATUS_LIFETIME:
                self.clear_status(status.channel, status.thread_ts)

    def set_prompts(self, channel_id: str, prompts: Prompts) -> None:
        self._prompts[channel_id] = prompts
        self._changes.publish(AssistantChanged(channel_id))

    def set_title(self, channel_id: str, thread_ts: str, title: str) -> None:
        self._titles[channel_id, thread_ts] = title
        self._changes.publish(AssistantChanged(channel_id))

    def titles(self, channel_id: str) -> dict[str, str]:
        """The titles of a channel's threads, by the ts of their roots."""
        return {ts: title for (channel, ts), title in self._titles.items() if channel == channel_id}
