"""Server-sent events: the bytes of a stream in, the data of each event out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.errors import ModelUnreachable

LARGEST_EVENT = 1 << 20  # bytes; a token with its probabilities takes some thousand

# Not str.splitlines: JSON may hold U+2028 and its like as they are.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")
# Some llama.cpp servers name the field "error" where an error comes.
_DATA_FIELDS = (b"data", b"error")


class EventParser:
    """Give it the stream as it comes (https://html.spec.whatwg.org, 9.2.6)."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data of the events that these bytes complete. Raises ModelUnreachable."""
        *lines, self._rest = _LINE_END.split(self._rest + received)
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield b"\n".join(self._data)
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > LARGEST_EVENT:
            raise ModelUnreachable(
                "The model's server sends an endless event: is its address in [model] url right?"
            )

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name in _DATA_FIELDS:
            self._data.append(value.removeprefix(b" "))
