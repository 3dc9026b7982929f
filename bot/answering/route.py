"""Whether a message needs the documents at all: features first, the model only on doubt."""

from __future__ import annotations

import re

from bot.answering.words import acronyms, codes, quotes, words
from bot.domain.values import Route

_OPENERS = frozenset(
    """hi hello hey hiya howdy yo morning greetings thanks thank thx ty cheers bye goodbye ciao
    good great cool nice awesome perfect ok okay danke hallo merci bonjour salut gracias hola
    grazie obrigado obrigada bedankt dank cześć dzięki""".split()
)
_COURTESIES = _OPENERS | frozenset(
    """afternoon evening lorebot bot you there so much very a lot team all everyone again schön
    beaucoup muchas mille je wel""".split()
)
_HELP = re.compile(
    r"(?i)^\W*(help|what can you do|who are you|what are you|how do you work)\W*$",
)
_ASKING = frozenset("what when where which who whom whose why how help need want".split())
_BEGINNING = frozenset(
    """can could does do did is are was were will would should may tell show explain describe list
    find give compare summarise summarize define""".split()
)
_TALKING = frozenset("i im me my you your youre that this it its we he she they lol haha".split())


def route(text: str) -> Route | None:
    """SMALL_TALK only where every word is a courtesy or the bot itself is asked for help.

    None where only a model can tell: a person talks, and nothing shows that they ask.
    """
    spoken = words(text)
    courteous = bool(spoken) and set(spoken) <= _COURTESIES and bool(_OPENERS & set(spoken))
    if not spoken or courteous or _HELP.match(text):
        return Route.SMALL_TALK
    asks = bool(_ASKING & set(spoken)) or spoken[0] in _BEGINNING or "?" in text
    names = codes(text) or acronyms(text) or quotes(text)
    return None if not asks and not names and _TALKING & set(spoken) else Route.RETRIEVE
