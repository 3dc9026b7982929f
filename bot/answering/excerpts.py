"""The smallest pieces of a passage that can be quoted on their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from indexer.documents import Passage


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A verbatim piece of a passage: a sentence, a list item, a table row or a code block.

    ``block`` is the paragraph, list, table or code block around it; ``kind`` names that block:
    paragraph, list, table or code. ``lead_in`` is what gives the piece its meaning: the sentence
    before a list or a code block, the header of a table. ``introduces`` is the block that such a
    sentence leads into.
    """

    passage: Passage
    text: str
    block: str
    kind: str
    lead_in: str = ""
    introduces: str = ""

    @property
    def judged(self) -> str:
        """What a judge reads: the piece below the headings it stands under."""
        return f"{self.passage.context}\n{self.lead_in}\n{self.text}"


def excerpts(passage: Passage) -> list[Excerpt]:
    """All pieces of a passage in reading order; headings are context, not content."""
    lines = passage.chunk.text.splitlines()
    blocks = list(_quotable_blocks(passage.chunk.text, lines))
    found: list[Excerpt] = []
    for before, (kind, block, pieces), after in _with_neighbours(blocks):
        lead_in = "\n".join(block.splitlines()[:2]) if kind == "table" else _leading(before)
        introduces = after[1] if after and _leading((kind, block, pieces)) else ""
        found += [Excerpt(passage, piece, block, kind, lead_in, introduces) for piece in pieces]
    return found


_Block = tuple[str, str, list[str]]  # kind, text, pieces


def _quotable_blocks(text: str, lines: list[str]) -> Iterator[_Block]:
    for token, inner in _blocks(text):
        kind = _KINDS.get(token.type)
        if kind and token.map:
            block = "\n".join(lines[slice(*token.map)]).strip("\n")
            yield kind, block, _pieces(kind, block, inner, lines)


def _with_neighbours(
    blocks: list[_Block],
) -> Iterator[tuple[_Block | None, _Block, _Block | None]]:
    return zip([None, *blocks[:-1]], blocks, [*blocks[1:], None], strict=True)


def _leading(block: _Block | None) -> str:
    """The text of a paragraph that announces what follows it, else nothing."""
    return block[1] if block and block[0] == "paragraph" and block[1].endswith(":") else ""


_KINDS = {
    "paragraph_open": "paragraph",
    "blockquote_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
}


def _blocks(text: str) -> list[tuple[Token, list[Token]]]:
    """Each top-level block's opening token with the tokens inside it."""
    blocks: list[tuple[Token, list[Token]]] = []
    for token in _parser().parse(text):
        if token.level == 0 and token.nesting >= 0:
            blocks.append((token, []))
        elif blocks:
            blocks[-1][1].append(token)
    return blocks


def _pieces(kind: str, block: str, inner: list[Token], lines: list[str]) -> list[str]:
    if kind == "paragraph":
        return sentences(block)
    if kind == "code":
        return [block]
    if kind == "list":
        spans = [t.map for t in inner if t.type == "list_item_open" and t.level == 1]
    else:
        body = next((i for i, t in enumerate(inner) if t.type == "tbody_open"), len(inner))
        spans = [t.map for t in inner[body:] if t.type == "tr_open"]
    return ["\n".join(lines[slice(*span)]).strip() for span in spans if span]


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


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")
