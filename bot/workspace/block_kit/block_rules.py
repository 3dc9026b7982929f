"""The limits Block Kit sets to messages and views, checked as Slack checks them."""

from typing import Any

from bot.workspace.block_kit.element_rules import (
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUTS,
    IN_SECTIONS,
    Problems,
    Rule,
    count,
    element,
    image,
    length,
    nothing,
    plain,
    required,
    text,
    type_of,
)
from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MARKDOWN_LIMIT = 12_000
TABLE_ROWS, TABLE_CELLS = 100, 20


def check_message_blocks(blocks: Any, *, limit: int = MESSAGE_BLOCKS) -> list[Payload]:
    """The blocks of a message; raises Refused("invalid_blocks") naming what is wrong where."""
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    complaints = list(_blocks_problems(blocks, _in_messages, ""))
    if len(blocks) > limit:
        complaints.append((f"no more than {limit} items allowed", "/blocks"))
    if complaints:
        raise Refused("invalid_blocks", _sentences(complaints))
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise Refused("only_one_table_allowed")
    return blocks


def check_view(view: Any) -> Payload:
    """The definition of a modal or home; raises Refused("invalid_arguments")."""
    if not isinstance(view, dict) or view.get("type") not in ("modal", "home"):
        raise Refused("invalid_arguments", ["[ERROR] unsupported view type [json-pointer:/view]"])
    complaints = [*_view_problems(view), *_blocks_problems(view.get("blocks"), _in_views, "/view")]
    if len(view.get("blocks") or []) > VIEW_BLOCKS:
        complaints.append((f"no more than {VIEW_BLOCKS} items allowed", "/view/blocks"))
    if complaints:
        raise Refused("invalid_arguments", _sentences(complaints))
    return dict(view)


def _sentences(complaints: list[tuple[str, str]]) -> list[str]:
    return [f"[ERROR] {complaint} [json-pointer:{where}]" for complaint, where in complaints]


def _blocks_problems(blocks: Any, allowed: dict[str, Rule], where: str) -> Problems:
    if not isinstance(blocks, list):
        yield "missing required field: blocks", where or "/blocks"
        return
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        at = f"{where}/blocks/{index}"
        rule = allowed.get(type_of(block))
        if rule is None:
            yield f"unsupported type: {type_of(block) or block!r}", f"{at}/type"
            continue
        block_id = block.get("block_id")
        yield from length(block_id, 255, f"{at}/block_id")
        if block_id in seen:
            yield "block_id is used more than once", f"{at}/block_id"
        seen |= {block_id} if block_id else set()
        yield from rule(block, at)


def _view_problems(view: Payload) -> Problems:
    if view["type"] == "modal" and not view.get("title"):
        yield "missing required field: title", "/view"
    for field in ("title", "submit", "close"):
        if view.get(field):
            yield from plain(view[field], 24, f"/view/{field}")
    yield from length(view.get("private_metadata"), 3_000, "/view/private_metadata")
    yield from length(view.get("callback_id"), 255, "/view/callback_id")
    has_input = any(type_of(block) == "input" for block in view.get("blocks") or [])
    if view["type"] == "modal" and has_input and not view.get("submit"):
        yield "missing required field: submit", "/view"


# What each kind of block may hold


def _section(block: Payload, at: str) -> Problems:
    if not block.get("text") and not block.get("fields"):
        yield "missing required field: text or fields", at
    if block.get("text"):
        yield from text(block["text"], 3_000, f"{at}/text")
    if "fields" in block:
        yield from count(block["fields"], 10, f"{at}/fields")
        for index, field in enumerate(block["fields"] or []):
            yield from text(field, 2_000, f"{at}/fields/{index}")
    if "accessory" in block:
        yield from element(block["accessory"], f"{at}/accessory", IN_SECTIONS)


def _header(block: Payload, at: str) -> Problems:
    yield from plain(block.get("text"), 150, f"{at}/text")


def _markdown(block: Payload, at: str) -> Problems:
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield "must be more than 0 characters", f"{at}/text"


def _context(block: Payload, at: str) -> Problems:
    yield from count(block.get("elements"), 10, f"{at}/elements")
    for index, item in enumerate(block.get("elements") or []):
        if type_of(item) == "image":
            yield from image(item, f"{at}/elements/{index}")
        else:
            yield from text(item, 3_000, f"{at}/elements/{index}")


def _actions(block: Payload, at: str) -> Problems:
    yield from count(block.get("elements"), 25, f"{at}/elements")
    for index, item in enumerate(block.get("elements") or []):
        yield from element(item, f"{at}/elements/{index}", IN_ACTIONS)


def _context_actions(block: Payload, at: str) -> Problems:
    yield from count(block.get("elements"), 5, f"{at}/elements")
    for index, item in enumerate(block.get("elements") or []):
        yield from element(item, f"{at}/elements/{index}", IN_CONTEXT_ACTIONS)


def _input(block: Payload, at: str) -> Problems:
    yield from plain(block.get("label"), 2_000, f"{at}/label")
    if block.get("hint"):
        yield from plain(block["hint"], 2_000, f"{at}/hint")
    yield from element(block.get("element"), f"{at}/element", IN_INPUTS)


def _image(block: Payload, at: str) -> Problems:
    yield from image(block, at)
    if block.get("title"):
        yield from plain(block["title"], 2_000, f"{at}/title")


def _task_card(block: Payload, at: str) -> Problems:
    yield from required(block, at, "task_id", "title")
    if block.get("status") not in ("pending", "in_progress", "complete", "error"):
        yield "status must be pending, in_progress, complete or error", f"{at}/status"


def _plan(block: Payload, at: str) -> Problems:
    yield from required(block, at, "title")
    for index, task in enumerate(block.get("tasks") or []):
        yield from _task_card(task, f"{at}/tasks/{index}")


def _table(block: Payload, at: str) -> Problems:
    yield from count(block.get("rows"), TABLE_ROWS, f"{at}/rows")
    for index, row in enumerate(block.get("rows") or []):
        yield from count(row, TABLE_CELLS, f"{at}/rows/{index}")


def _rich_text(block: Payload, at: str) -> Problems:
    if not isinstance(block.get("elements"), list):
        yield "missing required field: elements", at


_everywhere: dict[str, Rule] = {
    "section": _section,
    "header": _header,
    "markdown": _markdown,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "image": _image,
    "divider": nothing,
    "rich_text": _rich_text,
    "table": _table,
}
_in_messages = _everywhere | {
    "context_actions": _context_actions,
    "task_card": _task_card,
    "plan": _plan,
}
_in_views = {name: rule for name, rule in _everywhere.items() if name not in ("markdown", "table")}
