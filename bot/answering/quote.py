"""Answering without a language model: the passages' own words, verbatim and cited."""

from __future__ import annotations

from collections.abc import Sequence

from bot.answering.cite import Numbering
from bot.answering.judge import Evidence
from bot.domain import Citation

_QUOTES = 3
_PARAGRAPH_CHARACTERS = 420
_BLOCK_CHARACTERS = 1200
_TABLE_ROWS = 6


def quote(
    evidence: Sequence[Evidence], threshold: float, margin: float
) -> tuple[str, tuple[Citation, ...]]:
    """The best blocks around the best excerpts, with ``[n]`` marks, and their citations.

    ``evidence`` is sorted, best first. A block is quoted if its best excerpt's probability reaches
    ``threshold`` and is within ``margin`` of the first's. Empty where the first does not reach it.
    """
    numbering = Numbering()
    quotes = [
        _render(group, numbering.number(group[0].excerpt.passage))
        for group in _groups(evidence, threshold, margin)
    ]
    return "\n\n".join(quotes), numbering.citations


def _groups(evidence: Sequence[Evidence], threshold: float, margin: float) -> list[list[Evidence]]:
    """The chosen evidence by block, the best block first; the same words are quoted once."""
    groups: dict[str, list[Evidence]] = {}
    if not evidence or evidence[0].probability < threshold:
        return []
    limit = max(threshold, evidence[0].probability - margin)
    for found in evidence:
        if found.probability < limit:
            continue
        block = " ".join(found.excerpt.block.split())
        if block in groups:
            if groups[block][0].excerpt.passage is found.excerpt.passage:
                groups[block].append(found)
        elif len(groups) < _QUOTES:
            groups[block] = [found]
    return list(groups.values())


def _render(group: Sequence[Evidence], number: int) -> str:
    excerpt = group[0].excerpt
    chosen = [found.excerpt.text for found in group]
    if excerpt.kind == "table":
        return f"{_table(excerpt.block, chosen)}\n\n[{number}]"
    if excerpt.kind == "code":
        return f"{_introduced(excerpt.lead_in, excerpt.block)}\n\n[{number}]"
    if excerpt.kind == "list":
        whole = len(excerpt.block) <= _BLOCK_CHARACTERS
        text = excerpt.block if whole else _in_order(excerpt.block, chosen, "\n")
        return f"{_introduced(excerpt.lead_in, text)} [{number}]"
    if len(excerpt.block) <= _PARAGRAPH_CHARACTERS:
        return f"{_flowing(excerpt.block)} [{number}]"
    return f"{_flowing(_in_order(excerpt.block, chosen, ' … '))} [{number}]"


def _table(block: str, chosen: Sequence[str]) -> str:
    header, rows = block.splitlines()[:2], block.splitlines()[2:]
    if len(rows) > _TABLE_ROWS:
        rows = [row for row in rows if row.strip() in chosen]
    return "\n".join((*header, *rows))


def _in_order(block: str, chosen: Sequence[str], separator: str) -> str:
    return separator.join(sorted(chosen, key=lambda text: block.find(text[:40])))


def _introduced(lead_in: str, block: str) -> str:
    return f"{_flowing(lead_in)}\n\n{block}" if lead_in else block


def _flowing(text: str) -> str:
    """A paragraph on one line, without the marks of a block quote."""
    return " ".join(line.lstrip("> ").strip() for line in text.splitlines())
