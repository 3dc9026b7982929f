"""Whether a question needs the documents at all: features first, retrieval when in doubt."""

from __future__ import annotations

import re

from bot.answering.words import words
from bot.domain import Route

_OPENERS = frozenset(
    """hi hello hey hiya howdy yo morning greetings thanks thank thx ty cheers bye goodbye ciao
    good great cool nice awesome perfect ok okay""".split()
)
_COURTESIES = _OPENERS | frozenset(
    "afternoon evening lorebot bot you there so much very a lot team all everyone again".split()
)
_HELP = re.compile(
    r"(?i)^\W*(help|what can you do|who are you|what are you|how do you work)\W*$",
)


def route(text: str) -> Route:
    """SMALL_TALK only where every word is a courtesy or the bot itself is asked for help."""
    spoken = words(text)
    courteous = bool(spoken) and set(spoken) <= _COURTESIES and bool(_OPENERS & set(spoken))
    if not spoken or courteous or _HELP.match(text):
        return Route.SMALL_TALK
    return Route.RETRIEVE
