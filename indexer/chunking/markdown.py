"""Parse Markdown into top-level blocks with their lines, and headings as plain text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token


class Kind(StrEnum):
    HEADING = "heading"
    TABLE = "table"
    CODE = "code"
    LIST = "list"
    PROSE = "prose"


_MAX_HEADING_LENGTH = 200
"""A longer one is a paragraph above a line of dashes, which CommonMark takes for a heading."""
_KINDS = {
    "heading_open": Kind.HEADING,
    "table_open": Kind.TABLE,
    "fence": Kind.CODE,
    "bullet_list_open": Kind.LIST,
    "ordered_list_open": Kind.LIST,
}


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block: lines of the text, as written.

    ``start`` and ``end`` are line numbers from 0, ``end`` exclusive. ``parts`` are the same lines,
    cut where the block may be cut: a list's items, a table's head and rows, a code block's lines
    with its fences, otherwise the whole. ``level`` (1..6) and
    ``title`` (plain text) are set for headings only.
    """

    kind: Kind
    start: int
    end: int
    parts: tuple[str, ...]
    level: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A text's lines and the blocks over them; every line that is not blank is in one block."""

    lines: tuple[str, ...]
    blocks: tuple[Block, ...]

    def written(self, start: int, end: int) -> str:
        return "\n".join(self.lines[start:end]).strip("\n")


def parse(text: str) -> Page:
    """Any text is Markdown; ``text`` has ``\\n`` line ends (see ``unix_lines``)."""
    lines = tuple(text.split("\n"))
    blocks: list[Block] = []
    line = 0
    for opening, children in _top_level(_parser().parse(text)):
        start, end = opening.map or (line, line)
        blocks.extend(_uncovered(lines, line, start))
        blocks.append(_block(lines, opening, children, start, end))
        line = end
    blocks.extend(_uncovered(lines, line, len(lines)))
    return Page(lines, tuple(blocks))


def unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def first_heading(text: str) -> str:
    """The first heading of any level as plain text, empty if there is none."""
    return next((block.title for block in parse(text).blocks if block.title), "")


def plain(inline: str) -> str:
    """One line of Markdown as plain text: without emphasis, links as their text."""
    tokens = _inline_parser().parseInline(inline)
    words = (child.content for token in tokens for child in token.children or ())
    return " ".join("".join(word or " " if word else "" for word in words).split())


@cache
def _parser() -> MarkdownIt:
    """Blocks only: what is inside a paragraph does not decide where it may be cut."""
    return MarkdownIt("commonmark").enable("table").disable("inline")


@cache
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def _top_level(tokens: list[Token]) -> Iterator[tuple[Token, list[Token]]]:
    """Each block's opening token with all tokens inside it."""
    opening: Token | None = None
    children: list[Token] = []
    for token in tokens:
        if token.level > 0:
            children.append(token)
        elif token.nesting == 1:
            opening, children = token, []
        elif token.nesting == 0:
            yield token, []
        elif opening is not None:
            yield opening, children


def _block(
    lines: tuple[str, ...], opening: Token, children: list[Token], start: int, end: int
) -> Block:
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    kind = _KINDS.get(opening.type, Kind.PROSE)
    if kind is Kind.HEADING:
        title = plain(children[0].content)
        if len(title) <= _MAX_HEADING_LENGTH:
            level = int(opening.tag.removeprefix("h"))
            return Block(kind, start, end, ("\n".join(lines[start:end]),), level, title)
        kind = Kind.PROSE
    cuts = pairwise(_cuts(kind, children, start, end))
    return Block(kind, start, end, tuple("\n".join(lines[one:other]) for one, other in cuts))


def _cuts(kind: Kind, children: list[Token], start: int, end: int) -> list[int]:
    """Line numbers, from ``start`` to ``end``, between which the parts lie."""
    if kind is Kind.LIST:
        items = [
            token.map[0]
            for token in children
            if token.type == "list_item_open" and token.level == 1 and token.map
        ]
        return sorted({start, *items, end})
    if kind is Kind.TABLE:
        return sorted({start, *range(min(start + 2, end), end), end})
    if kind is Kind.CODE:
        return list(range(start, end + 1))
    return [start, end]


def _uncovered(lines: tuple[str, ...], start: int, end: int) -> Iterator[Block]:
    """Lines without a token of the parser, such as link definitions: they are text as well."""
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    if start < end:
        yield Block(Kind.PROSE, start, end, ("\n".join(lines[start:end]),))
