"""What people said in Slack, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import unescape
from typing import Any

from indexer.chunking.markdown import plain

Payload = dict[str, Any]
Names = Callable[[str], str]
"""From a person's id to what people call them."""

_SPEECH = {"", "bot_message", "file_share", "me_message", "thread_broadcast"}
"""Subtypes of messages in which somebody says something; others tell of joining and the like."""
_MARKUP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_LONGEST_TITLE = 100


def is_speech(message: Payload, own: frozenset[str]) -> bool:
    """Whether a person, or another bot, says something."""
    speakers = {message.get("user"), message.get("bot_id")}
    return message.get("subtype", "") in _SPEECH and speakers.isdisjoint(own)


def is_talk_with_bot_alone(thread: Sequence[Payload], own: frozenset[str]) -> bool:
    """One person's questions to the bot are no knowledge: found again, they answer nothing."""
    speakers = {_speaker(message) for message in thread if is_speech(message, own)}
    heard = any(
        not speakers_of(message).isdisjoint(own)
        or any(f"<@{each}" in message.get("text", "") for each in own)
        for message in thread
    )
    return heard and len(speakers) <= 1


def speakers_of(message: Payload) -> set[str]:
    return {str(message.get(key)) for key in ("user", "bot_id") if message.get(key)}


def moment(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)


def spoken(message: Payload, names: Names) -> str:
    """``Alice (2025-01-31 14:05): what she said``, in UTC; empty where nothing was said."""
    text = written(message, names)
    if not text:
        return ""
    speaker = _bot_name(message) or names(_speaker(message))
    return f"{speaker} ({moment(message['ts']):%Y-%m-%d %H:%M}): {text}"


def written(message: Payload, names: Names) -> str:
    """A message's own words, or those that stand in for its attachments."""
    text = str(message.get("text") or "")
    if not text.strip():
        fallbacks = (each.get("fallback") for each in message.get("attachments") or ())
        text = "\n".join(str(each) for each in fallbacks if each)
    return unescape(_MARKUP.sub(lambda found: _shown(found, names), text)).strip()


def first_line(message: Payload, names: Names) -> str:
    """In words, cut at a word's end."""
    first = next((line for line in written(message, names).splitlines() if line.strip()), "")
    words = plain(first.lstrip("#> ").strip("`"))
    if len(words) <= _LONGEST_TITLE:
        return words
    return words[:_LONGEST_TITLE].rsplit(" ", 1)[0] + " …"


def _speaker(message: Payload) -> str:
    return str(message.get("user") or message.get("bot_id") or "")


def _bot_name(message: Payload) -> str:
    profile = message.get("bot_profile") or {}
    name = profile.get("name") or message.get("username")
    return str(name or ("a bot" if not message.get("user") else ""))


def _shown(found: re.Match[str], names: Names) -> str:
    """``<@U1>``, ``<#C1|help>``, ``<!here>`` and ``<https://…|words>`` as a reader sees them."""
    kind, target, label = found.groups()
    if kind == "@":
        return f"@{names(target)}"
    if kind == "#":
        return f"#{label or target}"
    if kind == "!":
        return label or f"@{target.partition('^')[0]}"
    return f"[{label}]({target})" if label else target
