"""What a person chose or typed in an element, as Slack reports it."""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.workspace.blocks import elements
from bot.workspace.errors import WorkspaceError
from bot.workspace.models import Payload


def action_of(block: Payload, element: Payload, value: Any, action_ts: str) -> Payload:
    """The `actions` entry of a block_actions payload. `value` None takes a button's own."""
    action: Payload = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": action_ts,
    }
    match element["type"]:
        case "button":
            _same(element.get("value", ""), value)
            return action | {"text": element["text"], "value": element.get("value", "")}
        case "icon_button":
            return action | {"value": element.get("value", "")}
        case "feedback_buttons":
            return action | _feedback(element, value)
    return action | state_value(element, value)


def state_value(element: Payload, answer: Any) -> Payload:
    """An element's entry in `state.values`; `answer` is a text, an option's value or several."""
    kind = element["type"]
    match kind:
        case "static_select" | "radio_buttons" | "overflow":
            chosen = _option(element, answer) if answer else None
            return {"type": kind, "selected_option": chosen}
        case "checkboxes" | "multi_static_select":
            chosen_many = [_option(element, each) for each in answer or ()]
            return {"type": kind, "selected_options": chosen_many}
        case "users_select":
            return {"type": kind, "selected_user": answer or None}
        case "channels_select":
            return {"type": kind, "selected_channel": answer or None}
        case "conversations_select":
            return {"type": kind, "selected_conversation": answer or None}
        case "plain_text_input":
            return {"type": kind, "value": answer or None}
    raise WorkspaceError(f"A person cannot fill in an element of type {kind}.")


def filled(blocks: Iterable[Payload], answers: Mapping[str, Any]) -> Payload:
    """`state.values` of a view: what it said at first, and `answers` by action_id over that."""
    values: Payload = {}
    known = set()
    for block, element in elements(blocks):
        known.add(element["action_id"])
        if element["type"] in ("button", "overflow"):
            continue
        answer = answers.get(element["action_id"], _initial(element))
        values.setdefault(block["block_id"], {})[element["action_id"]] = state_value(
            element, answer
        )
    unknown = set(answers) - known
    if unknown:
        raise WorkspaceError(f"The view has no {sorted(unknown)}; it has {sorted(known)}.")
    return values


def missing(blocks: Iterable[Payload], values: Payload) -> dict[str, str]:
    """By block_id, what a person must still fill in."""
    return {
        block["block_id"]: "Please complete this required field."
        for block, element in elements(blocks)
        if block["type"] == "input"
        and not block.get("optional")
        and not _answered(values[block["block_id"]][element["action_id"]])
    }


def _answered(value: Payload) -> bool:
    return any(content for name, content in value.items() if name != "type")


def _initial(element: Payload) -> Any:
    if "initial_option" in element:
        return element["initial_option"]["value"]
    if "initial_options" in element:
        return [option["value"] for option in element["initial_options"]]
    for name in ("initial_value", "initial_user", "initial_channel", "initial_conversation"):
        if name in element:
            return element[name]
    return None


def _option(element: Payload, value: Any) -> Payload:
    for option in element["options"]:
        if option["value"] == value:
            return dict(option)
    offered = [option["value"] for option in element["options"]]
    raise WorkspaceError(f"{value!r} is not an option; there is {offered}.")


def _feedback(element: Payload, value: Any) -> Payload:
    for name in ("positive_button", "negative_button"):
        button = element[name]
        if button["value"] == value:
            return {"text": button["text"], "value": value}
    offered = [element[name]["value"] for name in ("positive_button", "negative_button")]
    raise WorkspaceError(f"{value!r} is no feedback here; there is {offered}.")


def _same(own: str, value: Any) -> None:
    if value is not None and value != own:
        raise WorkspaceError(f"This button's value is {own!r}, not {value!r}.")
