"""What the bot says outside of answers: small pieces of Block Kit, safe whatever they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.rendering.mrkdwn import safe_mrkdwn

Block = dict[str, Any]

_SECTION, _FALLBACK, _HEADER, _BUTTON, _BLOCKS = 2_900, 3_500, 150, 75, 50


@dataclass(frozen=True, slots=True)
class Said:
    """``text`` is for notifications, ``blocks`` are what people see; no blocks: the text."""

    text: str
    blocks: tuple[Block, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """As arguments of a call that posts."""
        return {"text": cut(self.text, _FALLBACK), "blocks": list(self.blocks[:_BLOCKS])}


def plain(text: str) -> Said:
    """One paragraph of our own words; what others wrote goes through ``safe`` first."""
    return Said(text, (section(text),))


def safe(text: str, limit: int = 300) -> str:
    """Somebody's words on one line, without pings and links."""
    return cut(safe_mrkdwn(" ".join(text.split())), limit)


def plain_text(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, _SECTION)}}


def header(text: str) -> Block:
    return {"type": "header", "text": plain_text(cut(text, _HEADER))}


def context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, _SECTION)}]}


def button(
    label: str, action: str, value: str = "", *, confirm: str = "", style: str = ""
) -> dict[str, Any]:
    """A button; with ``confirm`` Slack asks that question first."""
    made: dict[str, Any] = {
        "type": "button",
        "action_id": action,
        "text": plain_text(cut(label, _BUTTON)),
    }
    if value:
        made["value"] = value
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = {
            "title": plain_text("Are you sure?"),
            "text": plain_text(cut(confirm, 300)),
            "confirm": plain_text("Yes"),
            "deny": plain_text("No"),
        }
    return made


def actions(*elements: dict[str, Any]) -> Block:
    return {"type": "actions", "elements": list(elements)}


def lines(title: str, rows: Sequence[str], nothing: str) -> Said:
    """A heading and a list, or a sentence where there is nothing to list."""
    text = "\n".join(rows) or nothing
    return Said(f"{title}\n{text}", (header(title), section(text)))


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 2]} …"
