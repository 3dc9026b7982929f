"""Answering without a language model: the passages' own words, verbatim and cited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.answering.cite import Numbering
from bot.answering.judge import Evidence
from bot.domain.values import Citation
from indexer.chunking.markdown import Kind

_QUOTES = 3
_PARAGRAPH_CHARACTERS = 420
_BLOCK_CHARACTERS = 1200


@dataclass(frozen=True, slots=True)
class QuoteLimits:
    """``probability`` from which an excerpt is an answer; ``margin`` of rank (log-odds) within
    which further excerpts are as good as the best; ``likeness``, a cosine, from which an answer
    of another page is about the same thing, so that readers see both where pages disagree.
    """

    probability: float = 0.35
    margin: float = 1.0
    likeness: float = 0.5


def quote(evidence: Sequence[Evidence], limits: QuoteLimits) -> tuple[str, tuple[Citation, ...]]:
    """The best blocks around the best excerpts, with ``[n]`` marks, and their citations.

    ``evidence`` is sorted by rank, best first; nothing is quoted where none of it is probable
    enough. The newest page is quoted first.
    """
    likely = [found for found in evidence if found.probability >= limits.probability]
    chosen = [found for found in likely if _belongs(found, likely[0], limits)]
    numbering = Numbering()
    quotes = [
        _render(group, numbering.number(group[0].excerpt.passage))
        for group in sorted(_by_block(chosen), key=_age)
    ]
    return "\n\n".join(quotes), numbering.citations


def _belongs(found: Evidence, best: Evidence, limits: QuoteLimits) -> bool:
    if found.rank >= best.rank - limits.margin:
        return True
    elsewhere = _document(found) != _document(best)
    return elsewhere and float(found.vector @ best.vector) >= limits.likeness


def _document(found: Evidence) -> str:
    return found.excerpt.passage.chunk.document_id


def _by_block(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """At most three blocks, the best first; the same words are quoted once."""
    groups: dict[str, list[Evidence]] = {}
    for found in evidence:
        block = " ".join(found.excerpt.block.split())
        if block not in groups and len(groups) < _QUOTES:
            groups[block] = [found]
        elif block in groups and groups[block][0].excerpt.passage == found.excerpt.passage:
            groups[block].append(found)
    return list(groups.values())


def _age(group: Sequence[Evidence]) -> float:
    """Sorts the newest first, pages without a date last; ties keep their order."""
    modified = group[0].excerpt.passage.modified
    return -modified.timestamp() if modified else 0.0


def _render(group: Sequence[Evidence], number: int) -> str:
    excerpt = group[0].excerpt
    chosen = [found.excerpt.text for found in group]
    if excerpt.kind is Kind.TABLE:
        return f"{_table(excerpt.block, chosen)}\n\n[{number}]"
    if excerpt.kind is Kind.CODE:
        return f"{_introduced(excerpt.lead_in, excerpt.block)}\n\n[{number}]"
    if excerpt.kind is Kind.LIST:
        whole = len(excerpt.block) <= _BLOCK_CHARACTERS
        text = excerpt.block if whole else _in_order(excerpt.block, chosen, "\n")
        return f"{_introduced(excerpt.lead_in, text)} [{number}]"
    if excerpt.introduces:
        return f"{_introduced(excerpt.block, excerpt.introduces)}\n\n[{number}]"
    if len(excerpt.block) <= _PARAGRAPH_CHARACTERS:
        return f"{_flowing(excerpt.block)} [{number}]"
    return f"{_flowing(_in_order(excerpt.block, chosen, ' … '))} [{number}]"


def _table(block: str, chosen: Sequence[str]) -> str:
    lines = block.splitlines()
    return "\n".join((*lines[:2], *(row for row in lines[2:] if row.strip() in chosen)))


def _in_order(block: str, chosen: Sequence[str], separator: str) -> str:
    return separator.join(sorted(chosen, key=lambda text: block.find(text[:40])))


def _introduced(lead_in: str, block: str) -> str:
    return f"{_flowing(lead_in)}\n\n{block}" if lead_in else block


def _flowing(text: str) -> str:
    """A paragraph on one line, without the marks of a block quote."""
    return " ".join(line.lstrip("> ").strip() for line in text.splitlines())
