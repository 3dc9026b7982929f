"""The values a workspace is made of. All of them are immutable; a change makes a new one."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Payload: TypeAlias = dict[str, Any]
"""A JSON object in Slack's own shape."""

StreamState: TypeAlias = Literal["in_progress", "completed", "stopped_by_user", "expired"]


@dataclass(frozen=True, slots=True)
class Person:
    """A member with an account: a colleague, a guest or a bot."""

    id: str
    name: str
    display_name: str
    title: str = ""
    time_zone: str = "Europe/London"
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    bot_id: str | None = None
    # Of a person from another organisation; "" for the workspace's own people.
    team_id: str = ""

    @property
    def is_guest(self) -> bool:
        return self.is_restricted or self.is_ultra_restricted

    @property
    def is_bot(self) -> bool:
        return self.bot_id is not None


@dataclass(frozen=True, slots=True)
class UserGroup:
    """People who are mentioned together: <!subteam^S0OWNERS>."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file; `created` is in seconds since the epoch."""

    id: str
    name: str
    title: str
    user: str
    created: int
    mimetype: str
    filetype: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation and who is in it."""

    id: str
    name: str
    members: tuple[str, ...]
    created: int = 0
    topic: str = ""
    is_private: bool = False
    is_im: bool = False
    is_ext_shared: bool = False
    is_mpim: bool = False

    @property
    def kind(self) -> str:
        """What events call `channel_type`: "channel", "group", "im" or "mpim"."""
        if self.is_im or self.is_mpim:
            return "mpim" if self.is_mpim else "im"
        return "group" if self.is_private else "channel"


@dataclass(frozen=True, slots=True)
class Reaction:
    """One emoji on a message and who put it there, in the order they did."""

    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """How a streamed message is doing; `started` is in seconds since the epoch."""

    state: StreamState
    started: float
    recipient: str | None = None
    shows_plan: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands now; `text` and `blocks` are in Slack's wire form."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: tuple[Payload, ...] = ()
    # Blocks made out of markdown text give way to new text; blocks a bot chose stay.
    blocks_from_text: bool = False
    thread_ts: str | None = None
    metadata: Payload | None = None
    edited_ts: str | None = None
    ephemeral_to: str | None = None
    reactions: tuple[Reaction, ...] = ()
    stream: Stream | None = None
    files: tuple[str, ...] = ()
    """Ids of uploaded files."""
    previews: tuple[str, ...] = ()
    """Addresses the message shows a preview of."""

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def root_ts(self) -> str:
        """The ts of the thread this message belongs to, or would start."""
        return self.thread_ts or self.ts

    @property
    def is_streaming(self) -> bool:
        return self.stream is not None and self.stream.state == "in_progress"

    def visible_to(self, user_id: str) -> bool:
        """Whether a member of the channel sees this message at this moment.

        An ephemeral message is for one person. While an answer streams into a channel
        only its recipient sees it; the others see it once it is complete.
        """
        if self.ephemeral_to is not None:
            return user_id == self.ephemeral_to
        if self.stream is not None and self.is_streaming and self.stream.recipient is not None:
            return user_id in (self.stream.recipient, self.user)
        return True
