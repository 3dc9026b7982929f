"""Decides whether a message without a mention is meant for the bot; in doubt it is not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.answering.route import route
from bot.answering.words import words
from bot.domain.values import Route
from bot.slack.rendering.mrkdwn import plain_question
from bot.slack.replies.thread import is_reply

_MENTION = re.compile(r"<@[UW][A-Z0-9]+|<!(?:here|channel|everyone|subteam)")
_NAMED = re.compile(r"^(?P<name>[^\W\d_]\w+)\s*[,:]\s")
_NO_NAMES = frozenset(
    """and but so ok okay also then now well hi hello hey thanks great good please sorry yes no
    lorebot what und aber also ja nein danke gut et mais alors oui non merci bien y pero entonces
    gracias bueno e ma allora grazie mas então obrigado en maar dus nee bedankt i ale więc tak nie
    dzięki""".split()
)
_ASKING = frozenset(
    """what when where which who whom whose why how can could does do did is are was were will
    would should may wer was wann wo wie warum welche welcher welches qui que quoi quand où comment
    pourquoi quel quelle qué cuándo dónde quién cómo cuál chi cosa quando dove come perché quale
    quem onde como qual wat wanneer waar wie hoe waarom welke kto co kiedy gdzie jak dlaczego
    który""".split()
)


def is_question(text: str) -> bool:
    """Whether a message, as Slack sent it, asks for something from the documents.

    Only what is openly a question; not what mentions people, or begins with a name: "Bob, …".
    """
    if _MENTION.search(text):
        return False
    plain = plain_question(text)
    named = _NAMED.match(plain)
    if named and named["name"].lower() not in _NO_NAMES:
        return False
    said = words(plain)
    asks = "?" in plain or bool(said and said[0] in _ASKING)
    return asks and route(plain) is Route.RETRIEVE


def mute_command(text: str) -> str:
    """ "mute" or "unmute" where a message says nothing else to us, else ""."""
    word = plain_question(text).lower().strip(" .!")
    return word if word in ("mute", "unmute") else ""


def follows_an_answer(thread: Sequence[Mapping[str, Any]], author: str) -> bool:
    """Whether only the author has written since the bot's last answer.

    ``thread`` are the messages before theirs, oldest first, with metadata.
    """
    for message in reversed(thread):
        if is_reply(message):
            return True
        is_command = bool(mute_command(message.get("text") or ""))
        if message.get("user") != author and not is_command:
            return False
    return False
