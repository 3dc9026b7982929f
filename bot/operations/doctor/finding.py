"""What a check has found: a sentence for people, and what to do where it is not well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """``said`` is what is so, ``mend`` what to do about it; empty where nothing is to be done."""

    check: str
    ok: bool
    said: str
    mend: str = ""


Check: TypeAlias = Callable[[Settings], Iterable[Finding]]
"""Looks at one part of an installation, and changes nothing that the bot's start would not."""


def well(check: str, said: str) -> Finding:
    return Finding(check, ok=True, said=said)


def wrong(check: str, said: str, mend: str) -> Finding:
    return Finding(check, ok=False, said=said, mend=mend)
