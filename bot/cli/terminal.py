"""What an answer looks like in a terminal."""

from __future__ import annotations

from bot.domain.values import Answer
from indexer.documents import Passage

_CONTROL = dict.fromkeys((*range(9), *range(11, 32), 127, *range(128, 160)))


def rendered(answer: Answer) -> str:
    """The answer with its numbered sources, or the nearest documents where there are none."""
    parts = [answer.text]
    if answer.citations:
        sources = [f"[{found.number}] {_source(found.passage)}" for found in answer.citations]
        parts.append("Sources\n" + "\n".join(sources))
    if answer.nearest:
        nearest = [f" -  {_source(passage)}" for passage in answer.nearest]
        parts.append("The nearest documents\n" + "\n".join(nearest))
    return "\n\n".join(parts).translate(_CONTROL)


def _source(passage: Passage) -> str:
    date = f", {passage.modified:%Y-%m-%d}" if passage.modified else ""
    return f"{passage.context} ({passage.url or passage.chunk.document_id}{date})"
