"""Turns the bytes of tokens into pieces of text that can be shown."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextPieces:
    """Joins bytes into whole characters and withholds what may begin a stop string.

    Text from a stop string on is never returned; ``stopped`` says that one was reached.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(word for word in stop if word)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._withheld = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """The text that these bytes complete; often empty."""
        if self.stopped:
            return ""
        text = self._withheld + self._decoder.decode(data)
        found = [at for word in self._stop if (at := text.find(word)) >= 0]
        if found:
            self.stopped = True
            self._withheld = ""
            return text[: min(found)]
        certain = len(text) - self._possible_start(text)
        self._withheld = text[certain:]
        return text[:certain]

    def finish(self) -> str:
        """The withheld text, at the end of the bytes; an incomplete character is dropped."""
        rest, self._withheld = self._withheld, ""
        return rest

    def _possible_start(self, text: str) -> int:
        """Length of the longest suffix of ``text`` that is a prefix of a stop string."""
        longest = min(len(text), max(map(len, self._stop), default=0))
        return next(
            (
                length
                for length in range(longest, 0, -1)
                if any(word.startswith(text[-length:]) for word in self._stop)
            ),
            0,
        )
