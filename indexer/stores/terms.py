"""A question in people's words → an FTS5 query that cannot be injected into."""

from __future__ import annotations

import re

_MOST_TERMS = 64
_WORD = re.compile(r"\w+")
_STOPWORDS = frozenset(
    """a about an and any are as at be been but by can could did do does for from had has have how
    i if in into is it its may me my no not of on or our shall should so some such than that the
    their them then there these they this those to us was we were what when where which who whom
    whose why will with would you your""".split()
)


def match_expression(question: str) -> str:
    """Any of the question's words, stopwords aside; ERR-42 and foo_bar also as a phrase.

    Empty when the question holds no word at all.
    """
    terms: dict[str, None] = {}
    for word in telling_words(question):
        parts = _WORD.findall(word)
        terms.update(dict.fromkeys(parts if len(parts) < 2 else (" ".join(parts), *parts)))
    return " OR ".join(phrase(term) for term in list(terms)[:_MOST_TERMS])


def telling_words(question: str) -> list[str]:
    """The lower-case words of a question, stopwords aside unless there are no others."""
    words = question.lower().split()
    telling = [word for word in words if word.strip("\"'.,;:!?()") not in _STOPWORDS]
    return telling or words


def phrase(words: str) -> str:
    """Words that must stand side by side, whatever signs of the query language they hold."""
    return '"' + words.replace('"', " ") + '"'
