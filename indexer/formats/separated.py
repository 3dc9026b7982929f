"""Read CSV as one table."""

from __future__ import annotations

import csv
import io

from indexer.formats.extracted import Extracted, table
from indexer.formats.plain import decode

_SEPARATORS = ",;\t|"


def read(content: bytes) -> Extracted:
    """The separator is the candidate that is most frequent in the first line."""
    text = decode(content).lstrip()
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    return Extracted("", table(csv.reader(io.StringIO(text, newline=""), delimiter=separator)))
