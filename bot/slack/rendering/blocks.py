"""Block Kit, piece by piece: sections, buttons, inputs and modals, each cut to Slack's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.slack.rendering.mrkdwn import cut

Block = dict[str, Any]
"""A block or an element of one, as JSON: https://docs.slack.dev/reference/block-kit."""

# In characters; Slack takes 3,000 in a section's or context's text.
_TEXT, _HEADER, _BUTTON, _CONFIRM = 2_900, 150, 75, 300


def plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": cut(text, _TEXT)}


def section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def header(text: str) -> Block:
    return {"type": "header", "text": plain_text(cut(text, _HEADER))}


def context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def button(
    label: str, action_id: str, value: str = "", *, confirm: str = "", style: str = ""
) -> Block:
    """A button; with ``confirm`` Slack asks that question first. ``style``: primary or danger."""
    made: Block = {
        "type": "button",
        "action_id": action_id,
        "text": plain_text(cut(label, _BUTTON)),
    }
    if value:
        made["value"] = value
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = {
            "title": plain_text("Are you sure?"),
            "text": plain_text(cut(confirm, _CONFIRM)),
            "confirm": plain_text("Yes"),
            "deny": plain_text("No"),
        }
    return made


def option(label: str, value: str) -> Block:
    """One choice of a select, of radio buttons or of checkboxes."""
    return {"text": plain_text(label), "value": value}


def input_block(label: str, element: Block, *, hint: str = "", optional: bool = False) -> Block:
    """A field of a form, under its element's action id: see ``filled_in``."""
    block: Block = {
        "type": "input",
        "block_id": element["action_id"],
        "label": plain_text(label),
        "element": element,
        "optional": optional,
    }
    return block | ({"hint": plain_text(hint)} if hint else {})


def modal(
    title: str,
    blocks: Iterable[Block],
    *,
    callback_id: str = "",
    metadata: str = "",
    submit: str = "",
    close: str = "",
) -> Block:
    """A view; one without ``submit`` can only be read. ``metadata`` comes back with it."""
    view: Block = {"type": "modal", "title": plain_text(title), "blocks": list(blocks)}
    if callback_id:
        view |= {"callback_id": callback_id, "private_metadata": metadata}
    if submit:
        view["submit"] = plain_text(submit)
    if close:
        view["close"] = plain_text(close)
    return view


def filled_in(view: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a submitted form's elements, by action id."""
    return {
        action_id: element
        for block in view["state"]["values"].values()
        for action_id, element in block.items()
    }
