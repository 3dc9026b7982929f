"""Errors that nobody expected are kept without their sentences, which may quote people.

DBOS pickles whatever a job or a step raises into its tables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)
_SAFE = ("adapters", "bot", "dbos", "indexer")
"""Packages whose exceptions say nothing that people have written."""


class Unexpected(Exception):
    """A job or step failed by a mistake of ours: ``str(error)`` is the type of what was raised."""


@contextmanager
def kept_without_content(
    what: str, is_known: Callable[[BaseException], bool] | None = None
) -> Iterator[None]:
    """Log an error that is neither safe nor known, and raise Unexpected in its place.

    For a block, or around a function.
    """
    try:
        yield
    except Exception as error:
        is_safe = type(error).__module__.partition(".")[0] in _SAFE
        if is_safe or (is_known and is_known(error)):
            raise
        _log.exception("%s failed.", what)
        raise Unexpected(type(error).__name__) from error
