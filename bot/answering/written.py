"""What is said to the reader, and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.answering.cite import Numbering
from bot.answering.languages import Language
from bot.answering.quote import QuoteLimits, quote
from bot.answering.route import is_thanks
from bot.answering.search import Found
from bot.domain.thresholds import Thresholds
from bot.domain.values import Citation, Ending
from indexer.documents import Passage


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    ending: Ending
    citations: tuple[Citation, ...] = ()


def small_talk(language: Language, text: str) -> Written:
    """A reply in kind to what was said, which asks for nothing."""
    said = language.welcome if is_thanks(text) else language.greeting
    return Written(said, Ending.SMALL_TALK)


def not_found(language: Language) -> Written:
    return Written(language.not_found, Ending.NOT_FOUND)


def stopped(language: Language) -> Written:
    return Written(language.stopped, Ending.STOPPED)


def quoted(found: Found, thresholds: Thresholds, language: Language) -> Written:
    """The documents' own words, where they probably answer the question."""
    limits = QuoteLimits(thresholds.quote, thresholds.quote_margin, thresholds.quote_likeness)
    text, citations = quote(found.evidence, limits)
    return Written(text, Ending.QUOTED, citations) if text else not_found(language)


def disagreements(
    pairs: Sequence[tuple[Passage, Passage]], numbering: Numbering, language: Language
) -> str:
    """A line for each pair of passages that contradict each other, the newer one first."""
    return "\n".join(
        f"{language.disagree} {' · '.join(_dated(passage, numbering) for passage in _newest(pair))}"
        for pair in pairs
    )


def _newest(pair: tuple[Passage, Passage]) -> list[Passage]:
    return sorted(pair, key=lambda one: -one.modified.timestamp() if one.modified else 0.0)


def _dated(passage: Passage, numbering: Numbering) -> str:
    date = f" ({passage.modified:%Y-%m-%d})" if passage.modified else ""
    return f"[{numbering.number(passage)}]{date}"
