"""What hovers around a conversation with an agent: its status line, prompts and titles."""

from dataclasses import dataclass

from bot.workspace.changes import AssistantChanged, Changes
from bot.workspace.models import Payload


@dataclass(frozen=True, slots=True)
class Status:
    """A line such as "is thinking…" and the messages to show in turn while it lasts."""

    channel: str
    thread_ts: str
    text: str
    loading_messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompts:
    """Suggested prompts: objects of `title` and `message`."""

    title: str
    prompts: tuple[Payload, ...]


class Assistant:
    """Statuses by thread, suggested prompts by channel, titles by thread."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._statuses: dict[tuple[str, str], Status] = {}
        self._prompts: dict[str, Prompts] = {}
        self._titles: dict[tuple[str, str], str] = {}

    def statuses(self, channel_id: str) -> tuple[Status, ...]:
        return tuple(each for each in self._statuses.values() if each.channel == channel_id)

    def prompts(self, channel_id: str) -> Prompts | None:
        return self._prompts.get(channel_id)

    def title(self, channel_id: str, thread_ts: str) -> str:
        return self._titles.get((channel_id, thread_ts), "")

    def set_status(self, status: Status) -> None:
        """Shows a status; one without text clears what stood there."""
        if not status.text:
            self.clear_status(status.channel, status.thread_ts)
            return
        self._statuses[status.channel, status.thread_ts] = status
        self._changes.publish(AssistantChanged(status.channel))

    def clear_status(self, channel_id: str, thread_ts: str) -> None:
        if self._statuses.pop((channel_id, thread_ts), None) is not None:
            self._changes.publish(AssistantChanged(channel_id))

    def set_prompts(self, channel_id: str, prompts: Prompts) -> None:
        self._prompts[channel_id] = prompts
        self._changes.publish(AssistantChanged(channel_id))

    def set_title(self, channel_id: str, thread_ts: str, title: str) -> None:
        self._titles[channel_id, thread_ts] = title
