"""Tokenise and stem text and questions for BM25: as FTS5 does, and as an FTS5 query."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

_MAX_TERMS = 64
_MAX_WORD_LENGTH = 64
_MAX_PARTS = 8
_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_WORD = re.compile(r"\w+")
_STOPWORDS = frozenset(
    """a about an and any are as at be been but by can could did do does for from had has have how
    i if in into is it its may me my no not of on or our shall should so some such than that the
    their them then there these they this those to us was we were what when where which who whom
    whose why will with would you your""".split()
)


def match_expression(question: str) -> str:
    """An FTS5 query for any content word of a question; no input can add operators to it.

    ERR-42 and foo_bar are also searched as a phrase. Empty when the question holds no word at all.
    """
    terms: dict[str, None] = {}
    for word in content_words(question):
        parts = _WORD.findall(word)
        terms.update(dict.fromkeys(parts if len(parts) < 2 else (" ".join(parts), *parts)))
    return " OR ".join(phrase(term) for term in list(terms)[:_MAX_TERMS])


def phrase(words: str) -> str:
    """An FTS5 string: words that must be adjacent, quoted so that none is read as an operator."""
    return '"' + words.replace('"', " ") + '"'


def query_terms(question: str) -> list[str]:
    """The distinct ``index_terms`` of a question's content words; none when it holds no word."""
    return list(dict.fromkeys(index_terms(" ".join(content_words(question)))))[:_MAX_TERMS]


def index_terms(text: str) -> list[str]:
    """Stems without accents, in order, for an index that does not stem by itself.

    Like FTS5's ``porter unicode61``, with one more term for each identifier: ERR-42 gives ``err``,
    ``42`` and ``err_42``. Words are cut to 64 characters.
    """
    found: list[str] = []
    for written in _without_accents(text).split():
        parts = [stem(word[:_MAX_WORD_LENGTH]) for word in _LETTERS_AND_DIGITS.findall(written)]
        found += parts
        if 1 < len(parts) <= _MAX_PARTS:
            found.append("_".join(parts))
    return found


def joined_term(word: str) -> str:
    """The one term that stands for a word, ``err_42`` for err-42; empty when it holds no letter."""
    return max(index_terms(word), key=len, default="")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a lower-case word by Porter's algorithm (1980), as FTS5's ``porter`` has it."""
    return str(snowballstemmer.stemmer("porter").stemWord(word))


def content_words(question: str) -> list[str]:
    """A question's words in lower case without stopwords, unless it holds nothing else."""
    words = question.lower().split()
    content = [word for word in words if word.strip("\"'.,;:!?()") not in _STOPWORDS]
    return content or words


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
