"""Probabilities of options from the ``top_logprobs`` that a server lists.

A server lists the k likeliest first tokens of the answer with their log-probabilities. A token
counts for the option that it is a prefix of: "Yes" and " Yes" both count for Yes, and so does "Y"
where the tokenizer splits the word. Upper and lower case differ.

An option without a listed token gets the upper bound of its probability: no more than the least
listed one, and no more than 1 minus their sum. It is overstated, never declared impossible; with
20 tokens listed this changes a clear decision by less than the twentieth token's probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import ModelError

_BLANKS = b" \t\r\n"
_SMALLEST = 1e-30  # where the listed probabilities sum to 1


def check_options(options: Sequence[str]) -> None:
    """Raises ModelError where a token could be a prefix of two options."""
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
    """A token with its probability over the whole vocabulary."""

    text: bytes
    probability: float

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> ListedToken:
        """From an entry of ``top_logprobs``. Raises KeyError, TypeError or ValueError.

        ``bytes`` is preferred to ``token``, which cannot show a part of a character.
        """
        given, logprob = entry.get("bytes"), float(entry["logprob"])
        if math.isnan(logprob):
            raise ValueError("a probability is not a number")
        text = bytes(given) if given else str(entry["token"]).encode(errors="replace")
        return cls(text, math.exp(min(logprob, 0.0)))


def probabilities(
    listed: Sequence[ListedToken], options: Sequence[str]
) -> tuple[float, ...] | None:
    """One for each option, normalised to sum to 1; None where no listed token is of any."""
    words = [option.strip().encode() for option in options]
    found = [0.0] * len(options)
    for token in listed:
        beginning = token.text.lstrip(_BLANKS)
        matching = [place for place, word in enumerate(words) if word.startswith(beginning)]
        if beginning and len(matching) == 1:
            found[matching[0]] += token.probability
    if not any(found):
        return None
    known = [token.probability for token in listed]
    missing = max(min(min(known), 1 - sum(known)), _SMALLEST)
    weights = [probability or missing for probability in found]
    return tuple(weight / sum(weights) for weight in weights)
