"""The limits of Block Kit's texts and elements: what a button or a select may hold, and where."""

from collections.abc import Callable, Iterator
from typing import Any

from bot.workspace.state.models import Payload

Problems = Iterator[tuple[str, str]]
"""Pairs of a complaint and the JSON pointer it is about."""

Rule = Callable[[Payload, str], Problems]


def type_of(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else ""


def length(value: Any, limit: int, at: str) -> Problems:
    if value is not None and len(str(value)) > limit:
        yield f"must be less than {limit + 1} characters", at


def count(values: Any, limit: int, at: str) -> Problems:
    if not isinstance(values, list) or not values:
        yield "must have at least 1 item", at
    elif len(values) > limit:
        yield f"no more than {limit} items allowed", at


def required(value: Payload, at: str, *fields: str) -> Problems:
    for field in fields:
        if not value.get(field):
            yield f"missing required field: {field}", at


def text(
    value: Any, limit: int, at: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Problems:
    if type_of(value) not in kinds:
        yield f"must be a text object of type {' or '.join(kinds)}", at
    elif not isinstance(value.get("text"), str) or not value["text"]:
        yield "must be more than 0 characters", f"{at}/text"
    else:
        yield from length(value["text"], limit, f"{at}/text")


def plain(value: Any, limit: int, at: str) -> Problems:
    yield from text(value, limit, at, ("plain_text",))


def element(value: Any, at: str, allowed: frozenset[str]) -> Problems:
    """What is wrong with an element that may be one of the `allowed` types."""
    kind = type_of(value)
    if kind not in allowed:
        yield f"unsupported type: {kind or value!r}", f"{at}/type"
        return
    yield from length(value.get("action_id"), 255, f"{at}/action_id")
    if value.get("placeholder"):
        yield from plain(value["placeholder"], 150, f"{at}/placeholder")
    if value.get("confirm"):
        yield from _confirm(value["confirm"], f"{at}/confirm")
    yield from _RULES.get(kind, nothing)(value, at)


def nothing(value: Payload, at: str) -> Problems:
    yield from ()


def image(value: Payload, at: str) -> Problems:
    yield from required(value, at, "alt_text")
    yield from length(value.get("alt_text"), 2_000, f"{at}/alt_text")
    yield from length(value.get("image_url"), 3_000, f"{at}/image_url")
    slack_file = value.get("slack_file")
    if not value.get("image_url") and not isinstance(slack_file, dict):
        yield "missing required field: image_url or slack_file", at


def _confirm(value: Any, at: str) -> Problems:
    if not isinstance(value, dict):
        yield "must be a confirmation dialog", at
        return
    yield from plain(value.get("title"), 100, f"{at}/title")
    yield from text(value.get("text"), 300, f"{at}/text")
    for field in ("confirm", "deny"):
        yield from plain(value.get(field), 30, f"{at}/{field}")


def _button(value: Payload, at: str) -> Problems:
    yield from plain(value.get("text"), 75, f"{at}/text")
    yield from length(value.get("value"), 2_000, f"{at}/value")
    yield from length(value.get("url"), 3_000, f"{at}/url")
    yield from length(value.get("accessibility_label"), 75, f"{at}/accessibility_label")
    if value.get("style") not in (None, "primary", "danger"):
        yield "must be primary or danger", f"{at}/style"


def _feedback_buttons(value: Payload, at: str) -> Problems:
    for field in ("positive_button", "negative_button"):
        button = value.get(field)
        if not isinstance(button, dict):
            yield f"missing required field: {field}", at
            continue
        yield from plain(button.get("text"), 75, f"{at}/{field}/text")
        yield from length(button.get("value"), 2_000, f"{at}/{field}/value")


def _icon_button(value: Payload, at: str) -> Problems:
    yield from required(value, at, "icon")
    yield from plain(value.get("text"), 75, f"{at}/text")


def _options(value: Payload, at: str) -> Problems:
    limit = {"checkboxes": 10, "radio_buttons": 10, "overflow": 5}.get(value["type"], 100)
    groups = value.get("option_groups")
    if groups is None:
        yield from _option_list(value.get("options"), limit, at)
        return
    yield from count(groups, 100, f"{at}/option_groups")
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        yield from plain(group.get("label"), 75, f"{at}/option_groups/{index}/label")
        yield from _option_list(group.get("options"), limit, f"{at}/option_groups/{index}")


def _option_list(options: Any, limit: int, at: str) -> Problems:
    yield from count(options, limit, f"{at}/options")
    for index, option in enumerate(options if isinstance(options, list) else ()):
        where = f"{at}/options/{index}"
        yield from text(option.get("text"), 75, f"{where}/text")
        yield from required(option, where, "value")
        yield from length(option.get("value"), 150, f"{where}/value")


def _initial(value: Payload, at: str) -> Problems:
    """Options, and what is chosen at first must be one of them."""
    yield from _options(value, at)
    values = [option.get("value") for option in offered(value)]
    chosen = [value["initial_option"]] if value.get("initial_option") else []
    for option in (*chosen, *(value.get("initial_options") or ())):
        if option.get("value") not in values:
            yield "initial option must be one of the options", at


def offered(value: Payload) -> list[Payload]:
    """Every option of an element, out of its groups, too."""
    groups = value.get("option_groups") or ()
    grouped = [option for group in groups for option in group.get("options") or ()]
    return [*(value.get("options") or ()), *grouped]


def _text_input(value: Payload, at: str) -> Problems:
    yield from length(value.get("initial_value"), 3_000, f"{at}/initial_value")
    if int(value.get("max_length") or 1) > 3_000:
        yield "must be less than 3001", f"{at}/max_length"


_RULES: dict[str, Rule] = {
    "button": _button,
    "feedback_buttons": _feedback_buttons,
    "icon_button": _icon_button,
    "static_select": _initial,
    "multi_static_select": _initial,
    "overflow": _options,
    "checkboxes": _initial,
    "radio_buttons": _initial,
    "plain_text_input": _text_input,
    "image": image,
}

_SELECTS = {
    f"{prefix}{kind}_select"
    for prefix in ("", "multi_")
    for kind in ("static", "external", "users", "conversations", "channels")
}
_PICKERS = {"datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons"}
_TYPED = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}

IN_SECTIONS = frozenset({"button", "overflow", "image", *_SELECTS, *_PICKERS})
IN_ACTIONS = frozenset({"button", "overflow", *_SELECTS, *_PICKERS})
IN_INPUTS = frozenset({*_TYPED, *_SELECTS, *_PICKERS})
IN_CONTEXT_ACTIONS = frozenset({"feedback_buttons", "icon_button"})
