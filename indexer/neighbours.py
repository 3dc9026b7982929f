"""What stands side by side in a document is shown as one passage, as it stands there."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import replace

from indexer.documents import Chunk
from indexer.ranking import Candidate

_FEWEST_WORDS = 3


def merged(found: Sequence[Candidate], share: float) -> list[Candidate]:
    """Each candidate with the chunks just before and after it, in the order of ``found``.

    Only chunks that were found too, with at least ``share`` of its score, join it; its scores
    become the best of theirs.
    """
    by_place = {_place(one): one for one in found}
    result = []
    for one in found:
        if _place(one) not in by_place:
            continue
        del by_place[_place(one)]
        document, position = _place(one)
        around = [by_place.get((document, position + step)) for step in (-1, 1)]
        joining = [other for other in around if other and _belongs(other, one, share)]
        for other in joining:
            del by_place[_place(other)]
        result.append(_joined(one, joining) if joining else one)
    return result


def joined_text(chunks: Sequence[Chunk], title: str) -> Chunk:
    """Successive chunks as one: under the headings that all share, the others as text.

    The overlap of pieces of one section is written once.
    """
    headers = tuple(os.path.commonprefix([chunk.headers for chunk in chunks]))
    text, above = "", headers
    for chunk in chunks:
        if chunk.headers != above:
            name = " › ".join(chunk.headers[len(headers) :]) or [title, *headers][-1]
            text += f"\n\n# {name}\n\n{chunk.text}"
        elif overlap := _overlap(text, chunk.text):
            text += chunk.text[overlap:]
        else:
            text += f"\n\n{chunk.text}"
        above = chunk.headers
    return replace(chunks[0], text=text.strip("\n"), headers=headers)


def _place(one: Candidate) -> tuple[str, int]:
    return one.passage.chunk.document_id, one.passage.chunk.position


def _belongs(other: Candidate, one: Candidate, share: float) -> bool:
    return (
        other.passage.audience == one.passage.audience
        and other.passage.score >= share * one.passage.score
    )


def _joined(one: Candidate, joining: Sequence[Candidate]) -> Candidate:
    members = sorted((one, *joining), key=_place)
    passages = [member.passage for member in members]
    positions = tuple(passage.chunk.position for passage in passages)
    passage = replace(
        one.passage,
        chunk=joined_text([passage.chunk for passage in passages], one.passage.title),
        score=max(passage.score for passage in passages),
        similarity=max(passage.similarity for passage in passages),
        lexical=max(passage.lexical for passage in passages),
    )
    folded = sum(member.explanation.folded for member in members)
    return Candidate(passage, replace(one.explanation, merged=positions, folded=folded))


def _overlap(before: str, after: str) -> int:
    """How many characters of ``after`` repeat the end of ``before``: at least three words.

    Fewer are more often chance than overlap.
    """
    for start in range(max(len(before) - len(after), 0), len(before)):
        if start and not before[start - 1].isspace():
            continue
        end = before[start:]
        if len(end.split()) < _FEWEST_WORDS:
            return 0
        if after.startswith(end):
            return len(end)
    return 0
