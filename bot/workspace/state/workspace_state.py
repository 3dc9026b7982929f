"""A workspace in memory: people, channels, messages. No I/O, no threads.

One event loop owns a WorkspaceState; nothing else may touch it while the server runs.
Every refusal is a `Refused` with the code Slack would answer.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bot.workspace.errors import Refused
from bot.workspace.state.assistant import Assistant
from bot.workspace.state.changes import Changed, Deleted, Posted, Reacted
from bot.workspace.state.directory import Directory
from bot.workspace.state.files import Files
from bot.workspace.state.models import (
    Channel,
    Message,
    Payload,
    Person,
    Reaction,
    Stream,
    UserGroup,
)
from bot.workspace.state.views import Views


class WorkspaceState(Directory):
    """Everything a workspace knows. `clock` returns seconds since the epoch."""

    def __init__(
        self,
        *,
        bot: Person,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Iterable[UserGroup] = (),
        team_id: str = "T0LOCAL",
        team_name: str = "Local workspace",
        app_id: str = "A0LOREBOT",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(bot=bot, people=people, channels=channels, groups=groups)
        self.team_id = team_id
        self.team_name = team_name
        self.app_id = app_id
        self.url = "http://127.0.0.1/"
        self.clock = clock
        self.assistant = Assistant(self.changes, clock)
        self.views = Views(self.changes, clock)
        self.files = Files(clock)
        self._messages: defaultdict[str, dict[str, Message]] = defaultdict(dict)
        self._replies: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._last_microsecond = 0

    def next_ts(self) -> str:
        """A timestamp in seconds with six decimals, unique and later than every earlier one."""
        self._last_microsecond = max(int(self.clock() * 1_000_000), self._last_microsecond + 1)
        seconds, microseconds = divmod(self._last_microsecond, 1_000_000)
        return f"{seconds:010d}.{microseconds:06d}"

    # Messages

    def messages(self, channel_id: str) -> tuple[Message, ...]:
        """Every message of a channel, ephemeral ones too, the oldest first."""
        return tuple(self._messages[self.channel(channel_id).id].values())

    def message(self, channel_id: str, ts: str) -> Message:
        try:
            return self._messages[self.channel(channel_id).id][ts]
        except KeyError:
            raise Refused("message_not_found") from None

    def history(self, channel_id: str) -> tuple[Message, ...]:
        """The lasting messages that are not replies, the oldest first."""
        return tuple(
            message
            for message in self.messages(channel_id)
            if not message.is_reply and message.ephemeral_to is None
        )

    def thread(self, channel_id: str, root_ts: str) -> tuple[Message, ...]:
        """A root and its lasting replies, the oldest first; empty where there is no such root."""
        known = self._messages[self.channel(channel_id).id]
        root = known.get(root_ts)
        roots = [root_ts] if root is not None and not root.is_reply else []
        stamps = [*roots, *self._replies.get((channel_id, root_ts), ())]
        return tuple(known[ts] for ts in stamps if known[ts].ephemeral_to is None)

    def post(
        self,
        channel_id: str,
        user_id: str,
        text: str,
        *,
        blocks: Sequence[Payload] = (),
        blocks_from_text: bool = False,
        thread_ts: str | None = None,
        metadata: Payload | None = None,
        ephemeral_to: str | None = None,
        stream: Stream | None = None,
        files: Sequence[str] = (),
        by_response_url: bool = False,
    ) -> Message:
        """Adds a message. `thread_ts` must be the ts of a thread's root, `files` ids.

        Only a `response_url` lets the bot speak where it is no member.
        """
        if not by_response_url:
            self.joined_channel(channel_id, user_id)
        if thread_ts is not None:
            self._check_root(channel_id, thread_ts)
        message = Message(
            self.next_ts(),
            channel_id,
            user_id,
            text,
            tuple(blocks),
            blocks_from_text,
            thread_ts,
            metadata,
            ephemeral_to=ephemeral_to,
            stream=stream,
            files=tuple(self.files.file(file_id).id for file_id in files),
        )
        self._messages[channel_id][message.ts] = message
        if message.is_reply:
            self._replies[channel_id, message.root_ts].append(message.ts)
        self._clear_status_answered_by(message)
        self.changes.publish(Posted(message))
        return message

    def put(self, message: Message, *, announced: bool = True) -> Message:
        """Replaces the message of the same channel and ts."""
        previous = self.message(message.channel, message.ts)
        self._messages[message.channel][message.ts] = message
        self.changes.publish(Changed(message, previous, announced))
        return message

    def edit(self, channel_id: str, ts: str, user_id: str, text: str) -> Message:
        """A person rewrites a message of his own."""
        message = self.message(channel_id, ts)
        if message.user != user_id:
            raise Refused("cant_update_message")
        return self.put(replace(message, text=text, edited_ts=self.next_ts()))

    def delete(self, channel_id: str, ts: str, user_id: str) -> None:
        message = self.message(channel_id, ts)
        if message.user != user_id or message.is_streaming:
            raise Refused("cant_delete_message")
        self._remove(message)

    def dismiss(self, channel_id: str, ts: str) -> None:
        """Removes an ephemeral message, which leaves no trace in events."""
        message = self.message(channel_id, ts)
        if message.ephemeral_to is None:
            raise Refused("cant_delete_message")
        self._remove(message)

    def _remove(self, message: Message) -> None:
        del self._messages[message.channel][message.ts]
        if message.is_reply:
            self._replies[message.channel, message.root_ts].remove(message.ts)
        self.changes.publish(Deleted(message))

    def sees_file(self, user_id: str, file_id: str) -> bool:
        """Whether a person uploaded a file, or is where it was shared.

        What the bot uploaded is its own furniture, such as a chart: every member sees it.
        """
        if self.files.file(file_id).user in (user_id, self.bot.id):
            return True
        return any(
            file_id in message.files and message.visible_to(user_id)
            for channel in self.channels_of(user_id)
            for message in self.messages(channel.id)
        )

    def _check_root(self, channel_id: str, thread_ts: str) -> None:
        root = self._messages[channel_id].get(thread_ts)
        if root is None or root.ephemeral_to is not None:
            raise Refused("thread_not_found")
        if root.is_reply:
            raise Refused("cannot_reply_to_message", ["thread_ts is a reply, not a root"])

    def _clear_status_answered_by(self, message: Message) -> None:
        if message.user == self.bot.id and message.ephemeral_to is None:
            self.assistant.clear_status(message.channel, message.root_ts)

    # Reactions

    def react(self, channel_id: str, ts: str, user_id: str, name: str) -> None:
        self.joined_channel(channel_id, user_id)
        message = self.message(channel_id, ts)
        users = _reacting(message, name)
        if user_id in users:
            raise Refused("already_reacted")
        self._put_reaction(message, Reaction(name, (*users, user_id)))
        self.changes.publish(Reacted(message, user_id, name, added=True))

    def unreact(self, channel_id: str, ts: str, user_id: str, name: str) -> None:
        message = self.message(channel_id, ts)
        users = _reacting(message, name)
        if user_id not in users:
            raise Refused("no_reaction")
        remaining = tuple(user for user in users if user != user_id)
        self._put_reaction(message, Reaction(name, remaining))
        self.changes.publish(Reacted(message, user_id, name, added=False))

    def _put_reaction(self, message: Message, reaction: Reaction) -> None:
        known = any(existing.name == reaction.name for existing in message.reactions)
        reactions = tuple(
            reaction if existing.name == reaction.name else existing
            for existing in message.reactions
        )
        reactions = reactions if known else (*reactions, reaction)
        kept = tuple(existing for existing in reactions if existing.users)
        self.put(replace(message, reactions=kept), announced=False)


def _reacting(message: Message, name: str) -> tuple[str, ...]:
    return next((each.users for each in message.reactions if each.name == name), ())
