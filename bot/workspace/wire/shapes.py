"""How Slack writes people, channels, messages and views as JSON."""

from urllib.parse import quote

from bot.workspace.state.models import Channel, Message, Payload, Person, UserGroup
from bot.workspace.state.views import View
from bot.workspace.state.workspace_state import WorkspaceState


def person_shape(state: WorkspaceState, person: Person) -> Payload:
    shape: Payload = {
        "id": person.id,
        "team_id": person.team_id or state.team_id,
        "name": person.name,
        "real_name": person.display_name,
        "deleted": False,
        "tz": person.time_zone,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "is_admin": person.is_admin,
        "is_owner": person.is_owner,
        "is_primary_owner": person.is_owner,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_stranger": person.is_stranger,
        "updated": 0,
        "profile": {
            "real_name": person.display_name,
            "display_name": person.display_name,
            "title": person.title,
            "team": person.team_id or state.team_id,
        },
    }
    if person.bot_id is not None:
        shape["profile"] |= {"bot_id": person.bot_id, "api_app_id": state.app_id}
    return shape


def channel_shape(state: WorkspaceState, channel: Channel) -> Payload:
    shape: Payload = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": False,
        "is_im": channel.is_im,
        "is_mpim": channel.is_mpim,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_private": channel.kind != "channel",
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "context_team_id": state.team_id,
    }
    if channel.is_im:
        other = next((id_ for id_ in channel.members if id_ != state.bot.id), state.bot.id)
        return shape | {"user": other, "is_open": True}
    return shape | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_general": channel.name == "general",
        "is_member": state.bot.id in channel.members,
        "num_members": len(channel.members),
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def message_shape(
    state: WorkspaceState, message: Message, *, with_metadata: bool = False
) -> Payload:
    """A message as history, replies and events carry it."""
    shape: Payload = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "team": state.team_id,
        "text": message.text,
    }
    person = state.person(message.user)
    if person.team_id:
        shape |= {"user_team": person.team_id, "source_team": person.team_id}
    if person.bot_id is not None:
        shape |= {"bot_id": person.bot_id, "app_id": state.app_id}
        shape["bot_profile"] = {
            "id": person.bot_id,
            "app_id": state.app_id,
            "name": person.display_name,
            "team_id": state.team_id,
            "deleted": False,
        }
    if message.blocks:
        shape["blocks"] = list(message.blocks)
    if message.files:
        shape["files"] = [file_shape(state, file_id) for file_id in message.files]
    if message.previews:
        shape["attachments"] = [
            {"id": number, "from_url": url, "original_url": url, "title": url, "fallback": url}
            for number, url in enumerate(message.previews, 1)
        ]
    if message.edited_ts is not None:
        shape["edited"] = {"user": message.user, "ts": message.edited_ts}
    if message.stream is not None:
        shape["streaming_state"] = message.stream.state
    if message.ephemeral_to is not None:
        shape |= {"is_ephemeral": True, "ephemeral_to": message.ephemeral_to}
    if message.reactions:
        shape["reactions"] = reactions_shape(message)
    if message.metadata is not None and with_metadata:
        shape["metadata"] = message.metadata
    return shape | _thread_shape(state, message)


def file_shape(state: WorkspaceState, file_id: str) -> Payload:
    """A file as messages and files.info carry it; its content needs the bot's token."""
    if not state.files.is_there(file_id):
        return {"id": file_id, "mode": "tombstone"}
    file = state.files.file(file_id)
    address = f"{state.url}files-pri/{state.team_id}-{file.id}"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": file.mimetype,
        "filetype": file.filetype,
        "pretty_type": file.filetype.upper(),
        "user": file.user,
        "user_team": state.team_id,
        "editable": False,
        "size": len(file.content),
        "mode": "hosted",
        "is_external": False,
        "is_public": False,
        "file_access": "visible",
        "url_private": f"{address}/{quote(file.name)}",
        "url_private_download": f"{address}/download/{quote(file.name)}",
        "permalink": f"{state.url}files/{file.user}/{file.id}/{quote(file.name)}",
    }


def group_shape(state: WorkspaceState, group: UserGroup) -> Payload:
    return {
        "id": group.id,
        "team_id": state.team_id,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "date_delete": 0,
        "user_count": len(group.users),
    }


def reactions_shape(message: Message) -> list[Payload]:
    return [
        {"name": each.name, "users": list(each.users), "count": len(each.users)}
        for each in message.reactions
    ]


def _thread_shape(state: WorkspaceState, message: Message) -> Payload:
    if message.thread_ts is not None and message.is_reply:
        roots = [m for m in state.thread(message.channel, message.thread_ts) if not m.is_reply]
        parent = {"parent_user_id": roots[0].user} if roots else {}
        return {"thread_ts": message.thread_ts, **parent}
    replies = [m for m in state.thread(message.channel, message.ts) if m.is_reply]
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users": users,
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts,
    }


def view_shape(state: WorkspaceState, view: View, values: Payload | None = None) -> Payload:
    """A view as Slack answers and sends it; `values` is what a person filled in."""
    definition = view.definition
    return {
        "id": view.id,
        "team_id": state.team_id,
        "type": definition["type"],
        "title": definition.get("title"),
        "submit": definition.get("submit"),
        "close": definition.get("close"),
        "blocks": definition.get("blocks", []),
        "private_metadata": definition.get("private_metadata", ""),
        "callback_id": definition.get("callback_id", ""),
        "external_id": view.external_id,
        "state": {"values": values or {}},
        "hash": view.hash,
        "clear_on_close": bool(definition.get("clear_on_close")),
        "notify_on_close": bool(definition.get("notify_on_close")),
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id,
        "app_id": state.app_id,
        "app_installed_team_id": state.team_id,
        "bot_id": state.bot.bot_id,
    }
