"""Folder patterns such as ``leadership/**``."""

from __future__ import annotations

import re
from functools import cache

_WILD = re.compile(r"\*\*/|\*\*|\*|\?")
_MEANS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matches(path: str, pattern: str) -> bool:
    """Whether a relative path fits; ``*`` and ``?`` stay within a name, ``**`` does not."""
    return _expression(pattern).fullmatch(path) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    expression, last = "", 0
    for wild in _WILD.finditer(pattern):
        expression += re.escape(pattern[last : wild.start()]) + _MEANS[wild.group()]
        last = wild.end()
    return re.compile(expression + re.escape(pattern[last:]), re.DOTALL)
