"""The OAuth scopes each method needs, by Slack's reference pages."""

_HISTORY = {
    "channel": "channels:history",
    "group": "groups:history",
    "im": "im:history",
    "mpim": "mpim:history",
}
_READ = {"channel": "channels:read", "group": "groups:read", "im": "im:read", "mpim": "mpim:read"}
_BY_KIND = {
    "conversations.history": _HISTORY,
    "conversations.replies": _HISTORY,
    "conversations.info": _READ,
    "conversations.members": _READ,
}

_ANY_READ = tuple(_READ.values())
_NEEDED: dict[str, tuple[str, ...]] = {
    "agents.sessions.rename": ("chat:write",),
    "agents.sessions.setStatus": ("chat:write",),
    "assistant.threads.setStatus": ("assistant:write", "chat:write"),
    "assistant.threads.setSuggestedPrompts": ("assistant:write", "chat:write"),
    "assistant.threads.setTitle": ("assistant:write", "chat:write"),
    "bots.info": ("users:read",),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.join": ("channels:join",),
    "conversations.leave": ("channels:manage", "groups:write", "channels:write"),
    "conversations.list": _ANY_READ,
    "conversations.open": ("im:write",),
    "files.completeUploadExternal": ("files:write",),
    "files.delete": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "reactions.get": ("reactions:read",),
    "reactions.remove": ("reactions:write",),
    "team.info": ("team:read",),
    "usergroups.list": ("usergroups:read",),
    "usergroups.users.list": ("usergroups:read",),
    "users.conversations": _ANY_READ,
    "users.info": ("users:read",),
    "users.list": ("users:read",),
}

ALL_SCOPES = tuple(
    sorted(
        {scope for any_of in _NEEDED.values() for scope in any_of}
        | set(_HISTORY.values())
        | {"app_mentions:read", "commands"}
    )
)


def missing_scopes(method: str, scopes: tuple[str, ...], kind: str = "") -> tuple[str, ...]:
    """The scopes of which one is needed and none is there; () where the call is allowed.

    `kind` is that of the channel the call names: "channel", "group", "im", "mpim" or "".
    """
    by_kind = _BY_KIND.get(method)
    if by_kind is not None:
        needed = (by_kind[kind],) if kind else tuple(by_kind.values())
    else:
        needed = _NEEDED.get(method, ())
    return () if not needed or set(needed) & set(scopes) else needed
