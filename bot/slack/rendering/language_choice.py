"""A select of the languages that answers can be given in, in their own names."""

from __future__ import annotations

from typing import Any

from bot.slack.rendering.blocks import Block, option

NAMES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "it": "Italiano",
    "pt": "Português",
    "nl": "Nederlands",
    "pl": "Polski",
}
_OWN = "own"


def language_select(action_id: str, chosen: str) -> Block:
    """``chosen`` is an ISO 639-1 code, or "" for the language of each question."""
    options = {_OWN: "The language of each question"} | NAMES
    listed = [option(name, code) for code, name in options.items()]
    initial = next((one for one in listed if one["value"] == chosen), listed[0])
    return {
        "type": "static_select",
        "action_id": action_id,
        "options": listed,
        "initial_option": initial,
    }


def chosen_language(element: dict[str, Any]) -> str:
    """What was chosen, as a code or ""."""
    value = (element.get("selected_option") or {}).get("value", "")
    return value if value in NAMES else ""
