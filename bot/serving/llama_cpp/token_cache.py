"""Which tokens a text was spoken in, so that reading it back finds them in the cache.

A model seldom produces the tokens that its tokenizer makes of the same text. An answer that is
judged while it is written, or that a thread goes on from, would have to be computed again.
"""

from __future__ import annotations

import codecs
import threading
from collections import deque
from collections.abc import Iterator

from bot.serving.llama_cpp.context import Weights

REMEMBERED = 64  # answers; a few kilobytes each


class Utterance:
    """An answer as it grows: its tokens, and where in its text each of them ends."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.text = ""
        self.tokens: list[int] = []
        self.ends: list[int | None] = []
        """Characters after each token; None in the middle of a character."""

    def add(self, token: int, data: bytes) -> None:
        self.text += self._decoder.decode(data)
        self.tokens.append(token)
        between_characters = not self._decoder.getstate()[0]
        self.ends.append(len(self.text) if between_characters else None)

    def covering(self, length: int) -> tuple[list[int], int]:
        """The most tokens that end within ``length`` characters, and where they end."""
        for count in range(len(self.ends), 0, -1):
            end = self.ends[count - 1]
            if end is not None and end <= length:
                return self.tokens[:count], end
        return [], 0


class GeneratedTokenCache:
    """The latest answers of an engine. Safe from any thread."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self._utterances: deque[Utterance] = deque(maxlen=REMEMBERED)

    def add(self, utterance: Utterance, token: int, data: bytes) -> None:
        """The answer begins, or goes on, with a token of these bytes."""
        with self._lock:
            if not utterance.tokens:
                self._utterances.appendleft(utterance)
            utterance.add(token, data)

    def tokenize(self, text: str) -> list[int]:
        """Tokens of exactly ``text``: those it was spoken in as far as it was, then usual ones."""
        for spoken, length in self._beginnings(text):
            rest = text[length:]
            tokens = self._weights.tokenize(rest, control=False)
            # some vocabularies put a blank before every text: then the seam would show
            if b"".join(map(self._weights.piece, tokens)) == rest.encode():
                return spoken + tokens
        return self._weights.tokenize(text, control=False)

    def _beginnings(self, text: str) -> Iterator[tuple[list[int], int]]:
        with self._lock:
            known = [
                utterance.covering(len(text))
                for utterance in self._utterances
                if text and utterance.text.startswith(text)
            ]
        return iter(known)
