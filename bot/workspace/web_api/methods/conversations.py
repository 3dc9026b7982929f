"""conversations.*: channels, their members and what was said in them."""

from collections.abc import Sequence

from bot.workspace.errors import Refused
from bot.workspace.state.models import Channel, Message, Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.web_api.paging import page_of
from bot.workspace.wire.shapes import channel_shape, message_shape

TYPES = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}


class ConversationMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "conversations.info": self.info,
            "conversations.list": self.list,
            "conversations.members": self.members,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
            "conversations.open": self.open,
            "conversations.join": self.join,
            "conversations.leave": self.leave,
            "users.conversations": self.of_user,
        }

    def info(self, arguments: Arguments) -> Payload:
        channel = self._state.readable_channel(arguments.required("channel"), self._state.bot.id)
        return {"channel": channel_shape(self._state, channel)}

    def list(self, arguments: Arguments) -> Payload:
        return self._channels(
            arguments,
            [
                channel
                for channel in self._state.channels
                if channel.kind == "channel" or self._state.bot.id in channel.members
            ],
        )

    def of_user(self, arguments: Arguments) -> Payload:
        user_id = arguments.text("user") or self._state.bot.id
        mine = self._state.channels_of(self._state.person(user_id).id)
        visible = [
            channel
            for channel in mine
            if channel.kind == "channel" or self._state.bot.id in channel.members
        ]
        return self._channels(arguments, visible)

    def members(self, arguments: Arguments) -> Payload:
        channel = self._state.readable_channel(arguments.required("channel"), self._state.bot.id)
        members, following = page_of(channel.members, arguments, key=str)
        return {"members": list(members), **following}

    def history(self, arguments: Arguments) -> Payload:
        channel = self._state.joined_channel(arguments.required("channel"), self._state.bot.id)
        messages = _within(self._state.history(channel.id), arguments)[::-1]
        return self._messages(messages, arguments, default=100)

    def replies(self, arguments: Arguments) -> Payload:
        """A thread from its root on; of a reply's ts, only that reply, as Slack does."""
        channel = self._state.joined_channel(arguments.required("channel"), self._state.bot.id)
        ts = arguments.required("ts")
        thread = self._state.thread(channel.id, ts)
        if not thread:
            alone = [m for m in self._state.messages(channel.id) if m.ts == ts and m.is_reply]
            thread = tuple(alone)
        if not thread:
            raise Refused("thread_not_found")
        later = _within(thread[1:], arguments)
        return self._messages([thread[0], *later], arguments, default=1000)

    def open(self, arguments: Arguments) -> Payload:
        if arguments.text("channel"):
            channel = self._state.joined_channel(arguments.text("channel"), self._state.bot.id)
        else:
            users = arguments.words("users")
            if len(users) != 1:
                raise Refused("not_enough_users" if not users else "too_many_users")
            channel = self._state.direct_channel(users[0])
        if arguments.flag("return_im"):
            return {"channel": channel_shape(self._state, channel)}
        return {"channel": {"id": channel.id}}

    def join(self, arguments: Arguments) -> Payload:
        channel = self._state.channel(arguments.required("channel"))
        if channel.kind != "channel":
            raise Refused("method_not_supported_for_channel_type")
        return {
            "channel": channel_shape(self._state, self._state.join(channel.id, self._state.bot.id))
        }

    def leave(self, arguments: Arguments) -> Payload:
        self._state.leave(arguments.required("channel"), self._state.bot.id)
        return {}

    def _channels(self, arguments: Arguments, channels: Sequence[Channel]) -> Payload:
        types = arguments.words("types") or ["public_channel"]
        unknown = set(types) - set(TYPES)
        if unknown:
            raise Refused("invalid_types", [f"[ERROR] unknown types: {sorted(unknown)}"])
        kinds = {TYPES[name] for name in types}
        wanted = [channel for channel in channels if channel.kind in kinds]
        page, following = page_of(wanted, arguments, key=lambda channel: channel.id)
        return {"channels": [channel_shape(self._state, channel) for channel in page], **following}

    def _messages(
        self, messages: Sequence[Message], arguments: Arguments, *, default: int
    ) -> Payload:
        page, following = page_of(
            messages, arguments, key=lambda message: message.ts, default=default, maximum=1000
        )
        with_metadata = arguments.flag("include_all_metadata")
        return {
            "messages": [
                message_shape(self._state, message, with_metadata=with_metadata) for message in page
            ],
            "has_more": bool(following["response_metadata"]["next_cursor"]),
            **following,
        }


def _within(messages: Sequence[Message], arguments: Arguments) -> Sequence[Message]:
    """The messages between `oldest` and `latest`, themselves included with `inclusive`."""
    oldest, latest = arguments.text("oldest"), arguments.text("latest")
    inclusive = arguments.flag("inclusive")

    def inside(ts: str) -> bool:
        if inclusive and ts in (oldest, latest):
            return True
        return (not oldest or ts > oldest) and (not latest or ts < latest)

    return [message for message in messages if inside(message.ts)]
