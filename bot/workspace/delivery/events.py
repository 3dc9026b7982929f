"""The Events API: what a change looks like to the bot.

Not covered: the rich_text blocks Slack adds to a person's text, `client_msg_id`, and
`file_shared`, which says nothing that the message with its files does not.
"""

import secrets
from collections.abc import Iterator

from bot.workspace.state.changes import (
    Change,
    Changed,
    ContextChanged,
    Deleted,
    HomeOpened,
    Joined,
    Left,
    Posted,
    Reacted,
    SessionStopped,
    Uninstalled,
)
from bot.workspace.state.models import Channel, Message, Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.wire.shapes import message_shape, view_shape


def events_of(state: WorkspaceState, change: Change) -> list[Payload]:
    """The `event_callback` payloads a change causes, in the order Slack sends them.

    A bot hears only of channels it is a member of, and never of ephemeral messages.
    """
    return [_callback(state, event, channel) for event, channel in _events(state, change)]


def _events(state: WorkspaceState, change: Change) -> Iterator[tuple[Payload, Channel | None]]:
    match change:
        case Posted(message) if _heard(state, message):
            yield from _posted(state, message)
        case Changed(message, previous, True) if _heard(state, message):
            yield _message_changed(state, message, previous), state.channel(message.channel)
        case Deleted(message) if _heard(state, message):
            yield _message_deleted(state, message), state.channel(message.channel)
        case Reacted(message) if _heard(state, message):
            yield _reaction(state, change), state.channel(message.channel)
        case Joined(channel, user) if state.bot.id in channel.members:
            yield _member(state, "member_joined_channel", channel, user), channel
        case Left(channel, user) if state.bot.id in (*channel.members, user):
            yield _member(state, "member_left_channel", channel, user), channel
        case SessionStopped(channel_id):
            yield _session_stopped(state, change), state.channel(channel_id)
        case HomeOpened(user, tab):
            yield _home_opened(state, user, tab), state.direct_channel(user)
        case ContextChanged(user, channel_id):
            yield _context_changed(state, user, channel_id), state.direct_channel(user)
        case Uninstalled(token_only):
            yield from _uninstalled(state, token_only)


def _heard(state: WorkspaceState, message: Message) -> bool:
    member = state.bot.id in state.channel(message.channel).members
    return member and message.ephemeral_to is None


def _callback(state: WorkspaceState, event: Payload, channel: Channel | None) -> Payload:
    event_id = f"Ev{secrets.token_hex(5).upper()}"
    return {
        "token": "local",
        "team_id": state.team_id,
        "context_team_id": state.team_id,
        "context_enterprise_id": None,
        "api_app_id": state.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(state.clock()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": state.team_id,
                "user_id": state.bot.id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": channel is not None and channel.is_ext_shared,
        "event_context": f"4-{event_id}",
    }


def _posted(state: WorkspaceState, message: Message) -> Iterator[tuple[Payload, Channel]]:
    """A message, and the mention Slack reports besides when a person names the bot."""
    channel = state.channel(message.channel)
    shape = message_shape(state, message, with_metadata=True)
    where = {"channel": channel.id, "event_ts": message.ts}
    subtype = {"subtype": "file_share"} if message.files else {}
    yield {**shape, **where, **subtype, "channel_type": channel.kind}, channel
    by_person = message.user != state.bot.id
    is_direct = channel.is_im or channel.is_mpim
    if by_person and not is_direct and f"<@{state.bot.id}" in message.text:
        yield {**shape, **where, "type": "app_mention"}, channel


def _message_changed(state: WorkspaceState, message: Message, previous: Message) -> Payload:
    return {
        **_hidden(state, message, "message_changed"),
        "message": message_shape(state, message, with_metadata=True),
        "previous_message": message_shape(state, previous, with_metadata=True),
    }


def _message_deleted(state: WorkspaceState, message: Message) -> Payload:
    return {
        **_hidden(state, message, "message_deleted"),
        "deleted_ts": message.ts,
        "previous_message": message_shape(state, message, with_metadata=True),
    }


def _hidden(state: WorkspaceState, message: Message, subtype: str) -> Payload:
    ts = state.next_ts()
    return {
        "type": "message",
        "subtype": subtype,
        "hidden": True,
        "channel": message.channel,
        "channel_type": state.channel(message.channel).kind,
        "ts": ts,
        "event_ts": ts,
    }


def _reaction(state: WorkspaceState, reacted: Reacted) -> Payload:
    return {
        "type": "reaction_added" if reacted.added else "reaction_removed",
        "user": reacted.user,
        "reaction": reacted.name,
        "item": {
            "type": "message",
            "channel": reacted.message.channel,
            "ts": reacted.message.ts,
        },
        "item_user": reacted.message.user,
        "event_ts": state.next_ts(),
    }


def _member(state: WorkspaceState, kind: str, channel: Channel, user: str) -> Payload:
    return {
        "type": kind,
        "user": user,
        "channel": channel.id,
        "channel_type": "G" if channel.is_private else "C",
        "team": state.team_id,
        "event_ts": state.next_ts(),
    }


def _session_stopped(state: WorkspaceState, stopped: SessionStopped) -> Payload:
    return {
        "type": "agent_session_stopped",
        "user": stopped.user,
        "channel": stopped.channel,
        "thread_ts": stopped.thread_ts,
        "streaming_message_ts": list(stopped.streams),
        "event_ts": state.next_ts(),
    }


def _context_changed(state: WorkspaceState, user: str, channel_id: str) -> Payload:
    entity = {
        "type": "slack#/types/channel_id",
        "value": channel_id,
        "team_id": state.team_id,
    }
    return {
        "type": "app_context_changed",
        "user": user,
        "channel": state.direct_channel(user).id,
        "context": {"entities": [entity]},
        "event_ts": state.next_ts(),
    }


def _uninstalled(state: WorkspaceState, token_only: bool) -> Iterator[tuple[Payload, None]]:
    revoked = {"oauth": [], "bot": [state.bot.id]}
    yield {"type": "tokens_revoked", "tokens": revoked, "event_ts": state.next_ts()}, None
    if not token_only:
        yield {"type": "app_uninstalled", "event_ts": state.next_ts()}, None


def _home_opened(state: WorkspaceState, user: str, tab: str) -> Payload:
    event: Payload = {
        "type": "app_home_opened",
        "user": user,
        "channel": state.direct_channel(user).id,
        "tab": tab,
        "event_ts": state.next_ts(),
    }
    home = state.views.home(user)
    if tab == "home" and home is not None:
        event["view"] = view_shape(state, home)
    return event
