"""Why a database call failed, in its driver's own words."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """The first line, without SQL or parameters, which may hold private text, and without a full
    stop.
    """
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or ["?"])[0].rstrip(".")
