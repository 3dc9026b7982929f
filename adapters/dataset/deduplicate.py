"""Texts that say the same, by the Jaccard similarity of their character 5-grams.

Exact, and without comparing all pairs: prefix filtering, Bayardo et al. 2007.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata

_GRAM = 5
_NOT_WORDS = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """Lower-case letters and digits of composed Unicode, words apart by one blank."""
    return _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def grams(text: str) -> frozenset[str]:
    """The 5-grams of the normalised text; all of it where it is shorter."""
    plain = normalised(text)
    return frozenset(plain[at : at + _GRAM] for at in range(max(1, len(plain) - _GRAM + 1)))


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of both texts' 5-grams, in 0..1."""
    return _jaccard(grams(one), grams(other))


class SimilarTexts:
    """A growing set of texts that can be asked whether it holds a similar one."""

    def __init__(self, threshold: float) -> None:
        """``threshold`` in 0..1 is the similarity from which two texts say the same."""
        self._threshold = threshold
        self._known: list[frozenset[str]] = []
        self._by_gram: dict[str, list[int]] = {}

    def add(self, text: str) -> None:
        known = grams(text)
        for gram in self._prefix(known):
            self._by_gram.setdefault(gram, []).append(len(self._known))
        self._known.append(known)

    def __contains__(self, text: str) -> bool:
        asked = grams(text)
        candidates = {at for gram in self._prefix(asked) for at in self._by_gram.get(gram, ())}
        return any(_jaccard(asked, self._known[at]) >= self._threshold for at in candidates)

    def _prefix(self, of: frozenset[str]) -> list[str]:
        """Of two sets as similar as the threshold, these first grams in one order share one."""
        length = len(of) - math.ceil(self._threshold * len(of)) + 1
        return sorted(of, key=_order)[:length]


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _order(gram: str) -> bytes:
    """Any order would do; an even one keeps the lists behind common beginnings short."""
    return hashlib.blake2b(gram.encode(), digest_size=8).digest()
