"""Text → the terms of a lexical index that does not stem by itself, in the way FTS5 would."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

from indexer.stores.terms import telling_words

_WORD = re.compile(r"[^\W_]+")
_MOST_TERMS = 64
_LONGEST_WORD = 64
_MOST_PARTS = 8


def terms(text: str) -> list[str]:
    """Porter stems without accents, in order; ERR-42 gives ``err``, ``42`` and ``err_42``."""
    found: list[str] = []
    for written in _folded(text).split():
        parts = [stem(word[:_LONGEST_WORD]) for word in _WORD.findall(written)]
        found += parts
        if 1 < len(parts) <= _MOST_PARTS:
            found.append("_".join(parts))
    return found


def question_terms(question: str) -> list[str]:
    """The distinct terms of a question, stopwords aside; none when it holds no word at all."""
    return list(dict.fromkeys(terms(" ".join(telling_words(question)))))[:_MOST_TERMS]


def whole_term(word: str) -> str:
    """The one term that stands for a word, ``err_42`` for err-42; empty when it holds no letter."""
    return max(terms(word), key=len, default="")


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The Porter stem of a lower-case word, as FTS5's porter tokenizer has it."""
    return str(snowballstemmer.stemmer("porter").stemWord(word))
