"""Probabilities of given words, from the likeliest tokens that a server lists.

A server lists the k likeliest first tokens of the answer (``top_logprobs``) with their share of
the whole vocabulary. A token counts for the option that it is the beginning of: "Yes" and
" Yes" both count for Yes, and so does "Y" where the tokenizer splits the word. Case counts.

An option that is not in the list has some smaller share. Its largest possible one is known: no
more than the least of the list, and no more than what the list leaves over. That bound is taken,
so that a missing word is overstated, never declared impossible; with 20 tokens listed this
moves a clear decision by less than the twentieth token's share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import ModelError

_BLANKS = b" \t\r\n"
_SMALLEST = 1e-30  # where the list leaves nothing over


def check_options(options: Sequence[str]) -> None:
    """Raises ModelError where a token could be the beginning of two options."""
    words = [option.strip() for option in options]
    apart = all(words) and not any(
        one.startswith(other)
        for place, one in enumerate(words)
        for other in words[:place] + words[place + 1 :]
    )
    if not apart:
        raise ModelError(
            f"The options {', '.join(map(repr, options))} cannot be told apart by how they "
            "begin: choose other words."
        )


@dataclass(frozen=True, slots=True)
class ListedToken:
    """``share`` is its probability in the whole vocabulary."""

    text: bytes
    share: float

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> ListedToken:
        """From an entry of ``top_logprobs``. Raises KeyError, TypeError or ValueError.

        The bytes, where given, tell apart what is only a part of a character.
        """
        given, logprob = entry.get("bytes"), float(entry["logprob"])
        if math.isnan(logprob):
            raise ValueError("a probability is not a number")
        text = bytes(given) if given else str(entry["token"]).encode(errors="replace")
        return cls(text, math.exp(min(logprob, 0.0)))


def probabilities(
    listed: Sequence[ListedToken], options: Sequence[str]
) -> tuple[float, ...] | None:
    """Normalised over ``options``; None where the list has none of them."""
    words = [option.strip().encode() for option in options]
    found = [0.0] * len(options)
    for token in listed:
        beginning = token.text.lstrip(_BLANKS)
        matching = [place for place, word in enumerate(words) if word.startswith(beginning)]
        if beginning and len(matching) == 1:
            found[matching[0]] += token.share
    if not any(found):
        return None
    shares = [token.share for token in listed]
    missing = max(min(min(shares), 1 - sum(shares)), _SMALLEST)
    weights = [share or missing for share in found]
    return tuple(weight / sum(weights) for weight in weights)
