"""The limits Block Kit sets, checked as Slack checks them."""

from collections.abc import Callable, Iterator
from typing import Any

from bot.workspace.errors import Refused
from bot.workspace.models import Payload

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MARKDOWN_LIMIT = 12_000

Problems = Iterator[tuple[str, str]]
"""Pairs of a complaint and the JSON pointer it is about."""


def check_message_blocks(blocks: Any, *, limit: int = MESSAGE_BLOCKS) -> list[Payload]:
    """The blocks of a message; raises Refused("invalid_blocks") naming what is wrong where."""
    return _checked(blocks, _in_messages, limit)


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


def _checked(blocks: Any, allowed: dict[str, "Rule"], limit: int) -> list[Payload]:
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    complaints = list(_blocks_problems(blocks, allowed, ""))
    if len(blocks) > limit:
        complaints.append((f"no more than {limit} items allowed", "/blocks"))
    written = sum(len(b.get("text", "")) for b in blocks if _type_of(b) == "markdown")
    if written > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    if complaints:
        raise Refused("invalid_blocks", _sentences(complaints))
    return blocks


def _sentences(complaints: list[tuple[str, str]]) -> list[str]:
    return [f"[ERROR] {complaint} [json-pointer:{where}]" for complaint, where in complaints]


def _type_of(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else ""


def _blocks_problems(blocks: Any, allowed: dict[str, "Rule"], where: str) -> Problems:
    if not isinstance(blocks, list):
        yield "missing required field: blocks", where or "/blocks"
        return
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        at = f"{where}/blocks/{index}"
        rule = allowed.get(_type_of(block))
        if rule is None:
            yield f"unsupported type: {_type_of(block) or block!r}", f"{at}/type"
            continue
        block_id = block.get("block_id")
        yield from _length(block_id, 255, f"{at}/block_id")
        if block_id in seen:
            yield "block_id is used more than once", f"{at}/block_id"
        seen |= {block_id} if block_id else set()
        yield from rule(block, at)


def _view_problems(view: Payload) -> Problems:
    if view["type"] == "modal" and not view.get("title"):
        yield "missing required field: title", "/view"
    for field in ("title", "submit", "close"):
        if view.get(field):
            yield from _text(view[field], 24, f"/view/{field}", kinds=("plain_text",))
    yield from _length(view.get("private_metadata"), 3_000, "/view/private_metadata")
    yield from _length(view.get("callback_id"), 255, "/view/callback_id")
    has_input = any(_type_of(block) == "input" for block in view.get("blocks") or [])
    if view["type"] == "modal" and has_input and not view.get("submit"):
        yield "missing required field: submit", "/view"


# What each kind of text and element may hold


def _length(value: Any, limit: int, at: str) -> Problems:
    if value is not None and len(str(value)) > limit:
        yield f"must be less than {limit + 1} characters", at


def _count(values: Any, limit: int, at: str) -> Problems:
    if not isinstance(values, list) or not values:
        yield "must have at least 1 item", at
    elif len(values) > limit:
        yield f"no more than {limit} items allowed", at


def _text(
    value: Any, limit: int, at: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Problems:
    if _type_of(value) not in kinds:
        yield f"must be a text object of type {' or '.join(kinds)}", at
    elif not value.get("text"):
        yield "must be more than 0 characters", f"{at}/text"
    else:
        yield from _length(value["text"], limit, f"{at}/text")


def _element(element: Any, at: str) -> Problems:
    kind = _type_of(element)
    if kind not in _ELEMENTS:
        yield f"unsupported type: {kind or element!r}", f"{at}/type"
        return
    yield from _length(element.get("action_id"), 255, f"{at}/action_id")
    if element.get("placeholder"):
        yield from _text(element["placeholder"], 150, f"{at}/placeholder", ("plain_text",))
    yield from _ELEMENTS[kind](element, at)


def _nothing(element: Payload, at: str) -> Problems:
    yield from ()


def _button(element: Payload, at: str) -> Problems:
    yield from _text(element.get("text"), 75, f"{at}/text", ("plain_text",))
    yield from _length(element.get("value"), 2_000, f"{at}/value")
    yield from _length(element.get("url"), 3_000, f"{at}/url")


def _feedback_buttons(element: Payload, at: str) -> Problems:
    for field in ("positive_button", "negative_button"):
        button = element.get(field)
        if not isinstance(button, dict):
            yield f"missing required field: {field}", at
            continue
        yield from _text(button.get("text"), 75, f"{at}/{field}/text", ("plain_text",))
        yield from _length(button.get("value"), 2_000, f"{at}/{field}/value")


def _icon_button(element: Payload, at: str) -> Problems:
    yield from _text(element.get("text"), 75, f"{at}/text", ("plain_text",))


def _options(element: Payload, at: str) -> Problems:
    limit = 100 if element["type"].endswith("select") or element["type"] == "overflow" else 10
    yield from _count(element.get("options"), limit, f"{at}/options")
    for index, option in enumerate(element.get("options") or []):
        yield from _text(option.get("text"), 75, f"{at}/options/{index}/text")
        yield from _length(option.get("value"), 150, f"{at}/options/{index}/value")


def _image(element: Payload, at: str) -> Problems:
    for field in ("image_url", "alt_text"):
        if not element.get(field):
            yield f"missing required field: {field}", at


def _text_input(element: Payload, at: str) -> Problems:
    yield from _length(element.get("initial_value"), 3_000, f"{at}/initial_value")


Rule = Callable[[Payload, str], Problems]

_ELEMENTS: dict[str, Rule] = {
    "button": _button,
    "feedback_buttons": _feedback_buttons,
    "icon_button": _icon_button,
    "static_select": _options,
    "multi_static_select": _options,
    "overflow": _options,
    "checkboxes": _options,
    "radio_buttons": _options,
    "plain_text_input": _text_input,
    "users_select": _nothing,
    "conversations_select": _nothing,
    "channels_select": _nothing,
    "image": _image,
}


# What each kind of block may hold


def _section(block: Payload, at: str) -> Problems:
    if not block.get("text") and not block.get("fields"):
        yield "missing required field: text or fields", at
    if block.get("text"):
        yield from _text(block["text"], 3_000, f"{at}/text")
    if "fields" in block:
        yield from _count(block["fields"], 10, f"{at}/fields")
        for index, field in enumerate(block["fields"] or []):
            yield from _text(field, 2_000, f"{at}/fields/{index}")
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}/accessory")


def _header(block: Payload, at: str) -> Problems:
    yield from _text(block.get("text"), 150, f"{at}/text", ("plain_text",))


def _markdown(block: Payload, at: str) -> Problems:
    if not block.get("text"):
        yield "must be more than 0 characters", f"{at}/text"


def _context(block: Payload, at: str) -> Problems:
    yield from _count(block.get("elements"), 10, f"{at}/elements")
    for index, element in enumerate(block.get("elements") or []):
        if _type_of(element) == "image":
            yield from _image(element, f"{at}/elements/{index}")
        else:
            yield from _text(element, 3_000, f"{at}/elements/{index}")


def _actions(block: Payload, at: str) -> Problems:
    limit = 25 if block["type"] == "actions" else 5
    yield from _count(block.get("elements"), limit, f"{at}/elements")
    feedback = ("feedback_buttons", "icon_button")
    for index, element in enumerate(block.get("elements") or []):
        if (block["type"] == "context_actions") != (_type_of(element) in feedback):
            yield f"unsupported type: {_type_of(element)}", f"{at}/elements/{index}/type"
        else:
            yield from _element(element, f"{at}/elements/{index}")


def _input(block: Payload, at: str) -> Problems:
    yield from _text(block.get("label"), 2_000, f"{at}/label", ("plain_text",))
    yield from _element(block.get("element"), f"{at}/element")


def _task_card(block: Payload, at: str) -> Problems:
    for field in ("task_id", "title"):
        if not block.get(field):
            yield f"missing required field: {field}", at
    if block.get("status") not in ("pending", "in_progress", "complete", "error"):
        yield "status must be pending, in_progress, complete or error", f"{at}/status"


def _plan(block: Payload, at: str) -> Problems:
    if not block.get("title"):
        yield "missing required field: title", at
    for index, task in enumerate(block.get("tasks") or []):
        yield from _task_card(task, f"{at}/tasks/{index}")


def _table(block: Payload, at: str) -> Problems:
    yield from _count(block.get("rows"), 100, f"{at}/rows")


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
    "divider": _nothing,
    "rich_text": _rich_text,
    "table": _table,
}
_in_messages = _everywhere | {
    "context_actions": _actions,
    "task_card": _task_card,
    "plan": _plan,
}
_in_views = {name: rule for name, rule in _everywhere.items() if name not in ("markdown", "table")}
