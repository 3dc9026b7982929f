"""Whether a message needs the documents: by its features; None where only a model can tell."""

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
_GREETINGS = frozenset(
    """hi hello hey hiya howdy yo morning afternoon evening greetings hallo bonjour salut hola
    cześć ciao""".split()
)
_THANKS = frozenset(
    """thanks thank thx ty cheers danke merci gracias grazie obrigado obrigada bedankt dank
    dzięki""".split()
)
_HELP = re.compile(
    r"""(?ix)^\W* (?:(?:hi|hello|hey|hallo|bonjour|hola|ciao)\W+)? (?:
    (?:please\s+)?help(?:\s+me)?(?:\s+please)?
    | (?:what|how)\s+can\s+(?:you|lorebot)\s+(?:do|help)(?:\s+me)?(?:\s+with)?(?:\s+for\s+me)?
    | what\s+(?:can|could|should|may)\s+i\s+ask(?:\s+you)?(?:\s+about)?
    | what\s+do\s+you\s+(?:do|know)(?:\s+about)?
    | (?:what|which)\s+(?:sources|documents|docs)\s+
      (?:do\s+you\s+(?:know|have|use|read) | can\s+you\s+(?:read|see))
    | (?:who|what)\s+are\s+you | how\s+do\s+you\s+work
    | hilfe | was\s+kannst\s+du(?:\s+(?:alles|tun))?
    | (?:wobei|womit|wie)\s+kannst\s+du\s+(?:mir\s+)?helfen
    | aide | (?:en\s+quoi|comment)\s+(?:pouvez-vous|peux-tu)\s+m['’]aider
    | que\s+(?:pouvez-vous|peux-tu|sais-tu)\s+faire
    | ayuda | en\s+qué\s+(?:me\s+)?puedes\s+ayudar(?:me)? | qué\s+puedes\s+hacer
    | aiuto | in\s+(?:che\s+)?cosa\s+(?:mi\s+)?puoi\s+aiutar(?:e|mi)
    | (?:che\s+)?cosa\s+(?:sai|puoi)\s+fare
    | ajuda | em\s+que\s+(?:você\s+)?pode\s+me\s+ajudar | o\s+que\s+você\s+pode\s+fazer
    | (?:waarmee|waarbij|hoe)\s+kun\s+je\s+me\s+helpen | wat\s+kun\s+je(?:\s+doen)?
    | pomoc | w\s+czym\s+możesz\s+mi\s+pomóc | co\s+potrafisz(?:\s+zrobić)?
    ) \W*$""",
)
_ASKING = frozenset("what when where which who whom whose why how help need want".split())
_BEGINNING = frozenset(
    """can could does do did is are was were will would should may tell show explain describe list
    find give compare summarise summarize define""".split()
)
_TALKING = frozenset("i im me my you your youre that this it its we he she they lol haha".split())


def wants_help(text: str) -> bool:
    """Whether a message asks what the bot itself is good for, in any of its languages."""
    return bool(_HELP.match(text))


def is_thanks(text: str) -> bool:
    """Of small talk: whether it thanks, or approves or takes leave without a greeting."""
    spoken = set(words(text))
    return bool(spoken & _THANKS or (spoken & _OPENERS and not spoken & _GREETINGS))


def route(text: str) -> Route | None:
    """SMALL_TALK only where every word is a courtesy or the bot itself is asked for help.

    None where only a model can tell: a person talks, and nothing shows that they ask.
    """
    spoken = words(text)
    courteous = bool(spoken) and set(spoken) <= _COURTESIES and bool(_OPENERS & set(spoken))
    if not spoken or courteous or wants_help(text):
        return Route.SMALL_TALK
    asks = bool(_ASKING & set(spoken)) or spoken[0] in _BEGINNING or "?" in text
    names = codes(text) or acronyms(text) or quotes(text)
    return None if not asks and not names and _TALKING & set(spoken) else Route.RETRIEVE
