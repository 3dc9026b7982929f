"""What a person chose or typed in an element, as Slack reports it."""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.workspace.block_kit.blocks import elements
from bot.workspace.block_kit.element_rules import offered
from bot.workspace.errors import WorkspaceError
from bot.workspace.state.models import Payload

_FIELDS = {
    "users_select": "selected_user",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "multi_users_select": "selected_users",
    "multi_channels_select": "selected_channels",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
}
"""The field of `state.values` that holds an element's answer as it is."""

_INITIAL = (
    "initial_value",
    "initial_user",
    "initial_users",
    "initial_channel",
    "initial_channels",
    "initial_conversation",
    "initial_conversations",
    "initial_date",
    "initial_time",
    "initial_date_time",
)
_PRESSED = ("button", "icon_button", "feedback_buttons", "overflow")


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
    if kind in _FIELDS:
        several = kind.startswith("multi_")
        return {"type": kind, _FIELDS[kind]: list(answer or ()) if several else answer or None}
    match kind:
        case "static_select" | "radio_buttons" | "overflow" | "external_select":
            chosen = _option(element, answer) if answer else None
            return {"type": kind, "selected_option": chosen}
        case "checkboxes" | "multi_static_select" | "multi_external_select":
            chosen_many = [_option(element, each) for each in answer or ()]
            return {"type": kind, "selected_options": chosen_many}
    raise WorkspaceError(f"A person cannot fill in an element of type {kind}.")


def filled(blocks: Iterable[Payload], answers: Mapping[str, Any]) -> Payload:
    """`state.values` of a view: what it said at first, and `answers` by action_id over that."""
    values: Payload = {}
    known = set()
    for block, element in elements(blocks):
        known.add(element["action_id"])
        if element["type"] in _PRESSED:
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
    """By block_id, what a person must still fill in, or has filled in too short or too long."""
    problems: dict[str, str] = {}
    for block, element in elements(blocks):
        if block["type"] != "input":
            continue
        problem = _problem(block, element, values[block["block_id"]][element["action_id"]])
        if problem:
            problems[block["block_id"]] = problem
    return problems


def _problem(block: Payload, element: Payload, value: Payload) -> str:
    if not any(content for name, content in value.items() if name != "type"):
        return "" if block.get("optional") else "Please complete this required field."
    if element["type"] != "plain_text_input":
        return ""
    typed = len(value["value"])
    if typed < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if typed > element.get("max_length", 3_000):
        return f"Please enter at most {element.get('max_length', 3_000)} characters."
    return ""


def _initial(element: Payload) -> Any:
    if "initial_option" in element:
        return element["initial_option"]["value"]
    if "initial_options" in element:
        return [option["value"] for option in element["initial_options"]]
    return next((element[name] for name in _INITIAL if name in element), None)


def _option(element: Payload, value: Any) -> Payload:
    """The option of this value; an external select's may also come whole, as suggested."""
    if element["type"].endswith("external_select") and isinstance(value, dict):
        return value
    initial = [element["initial_option"]] if element.get("initial_option") else []
    known = [*offered(element), *initial, *(element.get("initial_options") or ())]
    for option in known:
        if option["value"] == value:
            return dict(option)
    values = [option["value"] for option in known]
    raise WorkspaceError(f"{value!r} is not an option; there is {values}.")


def _feedback(element: Payload, value: Any) -> Payload:
    for name in ("positive_button", "negative_button"):
        button = element[name]
        if button["value"] == value:
            return {"text": button["text"], "value": value}
    offered_values = [element[name]["value"] for name in ("positive_button", "negative_button")]
    raise WorkspaceError(f"{value!r} is no feedback here; there is {offered_values}.")


def _same(own: str, value: Any) -> None:
    if value is not None and value != own:
        raise WorkspaceError(f"This button's value is {own!r}, not {value!r}.")
