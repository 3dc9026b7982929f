"""Read text and Markdown as Markdown, and decode bytes to text."""

from __future__ import annotations

import codecs

from indexer.chunking.markdown import first_heading, unix_lines
from indexer.errors import DocumentError
from indexer.formats.extracted import Extracted

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read(content: bytes) -> Extracted:
    text = unix_lines(decode(content))
    return Extracted(first_heading(text), text)


def decode(content: bytes) -> str:
    """UTF-8, or UTF-16 with its byte order mark, without NUL characters. Raises DocumentError."""
    encoding = _MARKS.get(content[:2], "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    if "\0" in text:
        raise DocumentError("it holds NUL bytes and so is no text; remove or rename it.")
    return text


def beginning(content: bytes, most: int) -> bytes:
    """The first ``most`` characters, up to the end of a line if there is one, in UTF-8; the very
    ``content`` where it is not longer.
    """
    decoder = codecs.getincrementaldecoder(_MARKS.get(content[:2], "utf-8"))()
    try:
        text = decoder.decode(content[: 4 * (most + 1)])
    except UnicodeDecodeError:
        return content  # whoever reads it says so
    if len(text) <= most:
        return content
    return (text[: text.rfind("\n", 0, most) + 1] or text[:most]).encode()
