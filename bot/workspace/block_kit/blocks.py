"""Looking into Block Kit: naming blocks, finding elements."""

import secrets
from collections.abc import Iterable, Iterator

from bot.workspace.errors import WorkspaceError
from bot.workspace.state.models import Payload


def named(blocks: Iterable[Payload]) -> tuple[Payload, ...]:
    """The blocks, each with a block_id and each interactive element with an action_id."""
    return tuple(_named(block) for block in blocks)


def _named(block: Payload) -> Payload:
    block = {"block_id": secrets.token_urlsafe(4), **block}
    for field in ("accessory", "element"):
        if _is_interactive(block.get(field)):
            block[field] = {"action_id": secrets.token_urlsafe(4), **block[field]}
    if block["type"] in ("actions", "context_actions"):
        block["elements"] = [
            {"action_id": secrets.token_urlsafe(4), **element} for element in block["elements"]
        ]
    return block


def elements(blocks: Iterable[Payload]) -> Iterator[tuple[Payload, Payload]]:
    """Every interactive element with the block it stands in."""
    for block in blocks:
        candidates = [block.get("accessory"), block.get("element")]
        if block["type"] in ("actions", "context_actions"):
            candidates.extend(block["elements"])
        for element in candidates:
            if element is not None and _is_interactive(element):
                yield block, element


def find_element(
    blocks: Iterable[Payload], action_id: str, block_id: str = ""
) -> tuple[Payload, Payload]:
    """The block and element of an action_id; raises WorkspaceError where there is none."""
    known = []
    for block, element in elements(blocks):
        known.append(element.get("action_id"))
        if element.get("action_id") == action_id and block_id in ("", block.get("block_id")):
            return block, element
    raise WorkspaceError(f"Nothing here has the action_id {action_id!r}; there is {known}.")


def _is_interactive(element: object) -> bool:
    return isinstance(element, dict) and element.get("type") != "image"
