"""The smallest pieces of a passage that can be quoted on their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer

from indexer.chunking.markdown import Block, Kind, parse
from indexer.documents import Passage


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A verbatim piece of a passage: a sentence, a list item, a table row or a code block.

    ``passage`` is narrowed to the headings the piece stands under. ``block`` is the paragraph,
    list, table or code block around it, of the given ``kind``. ``lead_in`` is what gives the piece
    its meaning: the sentence before a list or a code block, the head of a table. ``introduces`` is
    the block that such a sentence leads into.
    """

    passage: Passage
    text: str
    block: str
    kind: Kind
    lead_in: str = ""
    introduces: str = ""

    @property
    def judged(self) -> str:
        """What a judge reads: the piece below the headings it stands under."""
        return f"{self.passage.context}\n{self.lead_in}\n{self.text}"


def excerpts(passage: Passage) -> list[Excerpt]:
    """All pieces of a passage in reading order; headings are context, not content."""
    found: list[Excerpt] = []
    for narrowed, blocks in _sections(passage):
        for before, block, after in _with_neighbours(blocks):
            lead_in = block.parts[0] if block.kind is Kind.TABLE else _leading(before)
            introduces = _text(after) if after and _leading(block) else ""
            found += [
                Excerpt(narrowed, piece, _text(block), block.kind, lead_in, introduces)
                for piece in _pieces(block)
            ]
    return found


def _sections(passage: Passage) -> Iterator[tuple[Passage, list[Block]]]:
    """A chunk may hold several small sections; each is told apart by its headings."""
    path: list[Block] = []
    body: list[Block] = []
    for block in parse(passage.chunk.text).blocks:
        if block.kind is not Kind.HEADING:
            body.append(block)
            continue
        if body:
            yield _narrowed(passage, path), body
        path = [*(heading for heading in path if heading.level < block.level), block]
        body = []
    if body:
        yield _narrowed(passage, path), body


def _narrowed(passage: Passage, path: list[Block]) -> Passage:
    headers = (*passage.chunk.headers, *(heading.title for heading in path))
    return replace(passage, chunk=replace(passage.chunk, headers=headers))


def _with_neighbours(blocks: list[Block]) -> Iterator[tuple[Block | None, Block, Block | None]]:
    return zip([None, *blocks[:-1]], blocks, [*blocks[1:], None], strict=True)


def _leading(block: Block | None) -> str:
    """The text of a paragraph that announces what follows it, else nothing."""
    announces = block and block.kind is Kind.PROSE and _text(block).endswith(":")
    return _text(block) if block and announces else ""


def _pieces(block: Block) -> list[str]:
    if block.kind is Kind.PROSE:
        return sentences(_text(block))
    if block.kind is Kind.CODE:
        return [_text(block)]
    parts = block.parts[1:] if block.kind is Kind.TABLE else block.parts
    return [part.strip() for part in parts if part.strip()]


def _text(block: Block) -> str:
    return "\n".join(block.parts).strip("\n")


def sentences(text: str) -> list[str]:
    """Sentences in order, each stripped; line breaks inside one stay as they are."""
    found: list[str] = []
    for sentence in _splitter()(text):
        stripped = sentence.strip()
        if found and stripped[:1].islower():
            found[-1] += f" {stripped}"  # "e.g. lunch" is no end of a sentence
        elif stripped:
            found.append(stripped)
    return found


@lru_cache(maxsize=1)
def _splitter() -> Callable[[str], list[str]]:
    return split_by_sentence_tokenizer()
