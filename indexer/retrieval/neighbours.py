"""What stands side by side in a document is shown as one passage, as it stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from indexer.documents import Chunk
from indexer.retrieval.nodes import Candidate

# Measured: at .5, half as many again of the handbook's unanswerable questions were answered.
_RELEVANT = 0.7
_FEWEST_WORDS = 3


def merged(found: Sequence[Candidate]) -> list[Candidate]:
    """Each candidate with the chunks just before and after it, in the order of ``found``.

    Only chunks that were found too and are about as relevant join it, so that a passage is three
    chunks at most; its scores are the best of theirs, its id is the first one's.
    """
    by_place = {_place(one): one for one in found}
    result = []
    for one in found:
        if _place(one) not in by_place:
            continue
        del by_place[_place(one)]
        document, position = _place(one)
        around = [by_place.get((document, position + step)) for step in (-1, 1)]
        joining = [other for other in around if other and _belongs(other, one)]
        for other in joining:
            del by_place[_place(other)]
        result.append(_with_neighbours(one, joining) if joining else one)
    return result


def joined(chunks: Sequence[Chunk], title: str) -> Chunk:
    """Successive chunks as one, placed where the first stands.

    Its headers are those that all share; further ones become headings in the text, of the first
    level so that each ends the section before it. The overlap of a section's pieces stays once.
    """
    headers = _common([chunk.headers for chunk in chunks])
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


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    levels = zip(*paths, strict=False)
    return tuple(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _place(one: Candidate) -> tuple[str, int]:
    return one.passage.chunk.document_id, one.passage.chunk.position


def _belongs(other: Candidate, one: Candidate) -> bool:
    return (
        other.passage.audience == one.passage.audience
        and other.passage.score >= _RELEVANT * one.passage.score
    )


def _with_neighbours(one: Candidate, joining: Sequence[Candidate]) -> Candidate:
    members = sorted((one, *joining), key=_place)
    passages = [member.passage for member in members]
    positions = tuple(passage.chunk.position for passage in passages)
    passage = replace(
        one.passage,
        chunk=joined([passage.chunk for passage in passages], one.passage.title),
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
        if f"{after} ".startswith((f"{end} ", f"{end}\n")):
            return len(end)
    return 0
