"""Words as the lexical index sees them: Porter stems of runs of letters and digits."""

from __future__ import annotations

import re

from indexer.stores.terms import stem

_WORD = re.compile(r"[^\W_]+")
_ACRONYM = re.compile(r"\b[A-Z]{2,6}\b")
_QUOTED = re.compile(r"[\"“„«`].+[\"”“»`]")
_IDENTIFIER = re.compile(r"\b(?=[\w.-]*\d)[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*\b")

# Words that say how something is asked, not what about.
STOPWORDS = frozenset(
    """a about above after again all also am an and any anyone are as ask at be because been before
    being below between both but by can could did do does doing done dont down during each else for
    from further get gets got had has have having he her here hers him his how i if in into is isnt
    it its just know let lets like many may me might more most much must my need no nor not now of
    off on once one only or other our ours out over own please right same she should so some such
    tell than thank thanks that the their theirs them then there these they this those through to
    too under until up us use very want was we were what whats when where which while who whom whose
    why will with would you your yours hi hello hey mean means meaning stand stands explain describe
    show find happen happens somebody someone something anything everyone thing things""".split()
)


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits, in order."""
    return _WORD.findall(text.lower())


def stems(text: str) -> frozenset[str]:
    """The stems of all words of a text."""
    return frozenset(stem(word) for word in words(text))


def content_words(text: str) -> tuple[str, ...]:
    """The distinct words that say what a text is about; all of its words if none remain."""
    everything = dict.fromkeys(words(text))
    return tuple(word for word in everything if word not in STOPWORDS) or tuple(everything)


def identifiers(text: str) -> frozenset[str]:
    """Everything with a digit in it: numbers, dates, versions, INC-2291; lower-case."""
    return frozenset(found.lower() for found in _IDENTIFIER.findall(text))


def codes(text: str) -> frozenset[str]:
    """Identifiers that name one thing: letters and digits joined, such as INC-2291 or E4017."""
    return frozenset(
        found
        for found in identifiers(text)
        if sum(character.isdigit() for character in found) > 1
        and any(character.isalpha() for character in found)
    )


def acronyms(text: str) -> frozenset[str]:
    """Words of two to six capitals in a text that is not all capitals; lower-case."""
    return (
        frozenset(found.lower() for found in _ACRONYM.findall(text))
        if not text.isupper()
        else frozenset()
    )


def quotes(text: str) -> bool:
    """Whether words are set in quotation marks or as code: they are meant to the letter."""
    return bool(_QUOTED.search(text))
