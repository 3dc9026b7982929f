"""What a message points at: the people it pings and the addresses it links to."""

import re
from collections.abc import Iterator
from typing import Any

from bot.workspace.state.models import Message, Payload
from bot.workspace.state.workspace_state import WorkspaceState

_TARGET = re.compile(r"<([@!][^<>|]+)(?:\|[^<>]*)?>")
_ADDRESS = re.compile(r"https?://[^\s<>|)\]\"'`*]+")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_BROADCASTS = {"!channel", "!here", "!everyone"}
_MARKED_UP = ("mrkdwn", "markdown")
_URL_FIELDS = ("url", "image_url", "title_url", "video_url")
_PICTURE = re.compile(r"\.(png|jpe?g|gif|webp|mp4)$", re.IGNORECASE)


def pinged(state: WorkspaceState, message: Message) -> tuple[str, ...]:
    """The ids of the members a message notifies by name, by group or by a broadcast."""
    members = set(state.channel(message.channel).members)
    targets = [target for text in _texts(message) for target in _TARGET.findall(text)]
    targets += [target for element in _walk(list(message.blocks)) for target in _target(element)]
    named = {user for target in targets for user in _users(state, target, members)}
    reached = named & members if message.ephemeral_to is None else named & {message.ephemeral_to}
    return tuple(sorted(reached - {message.user}))


def links(message: Message) -> tuple[str, ...]:
    """The addresses in a message's text, blocks and buttons, in order, each once.

    One in code is shown as it is written, and opens nothing.
    """
    texts = [_CODE.sub(" ", text) for text in _texts(message)]
    found = [address for text in texts for address in _ADDRESS.findall(text)]
    for element in _walk(list(message.blocks)):
        found += [str(element[field]) for field in _URL_FIELDS if element.get(field)]
    return tuple(dict.fromkeys(found))


def previewed(message: Message, *, pages: bool, media: bool) -> tuple[str, ...]:
    """The links Slack would show a preview of: pages only where asked, pictures unless not."""
    return tuple(
        address for address in links(message) if (media if _PICTURE.search(address) else pages)
    )


def _texts(message: Message) -> Iterator[str]:
    yield message.text
    for element in _walk(list(message.blocks)):
        if element.get("type") in _MARKED_UP:
            yield str(element.get("text", ""))


def _walk(value: Any) -> Iterator[Payload]:
    """Every object inside blocks."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _walk(each)


def _target(element: Payload) -> Iterator[str]:
    match element.get("type"):
        case "user":
            yield f"@{element.get('user_id')}"
        case "usergroup":
            yield f"!subteam^{element.get('usergroup_id')}"
        case "broadcast":
            yield f"!{element.get('range')}"


def _users(state: WorkspaceState, target: str, members: set[str]) -> set[str]:
    if target in _BROADCASTS:
        return members
    if target.startswith("!subteam^"):
        groups = [group for group in state.groups if group.id == target.removeprefix("!subteam^")]
        return {user for group in groups for user in group.users}
    return {target.removeprefix("@")}
