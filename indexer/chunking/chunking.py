"""Split Markdown into chunks that fit the embedder: by structure first, by sentences last."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from llama_index.core.node_parser import SentenceSplitter

from indexer.chunking.markdown import Block, Kind, Page, parse, unix_lines
from indexer.documents import Chunk, Document

CHUNKER_VERSION = "2"
_OVERLAP = 0.12
_FENCE = re.compile(r"\s*(```|~~~)")
_SLICE = re.compile(r".{1,20000}(?:\s|\Z)|.{20000}", re.DOTALL)


class Chunker:
    """Splits documents so that context and text of a chunk together stay within ``max_tokens``.

    ``count_tokens`` is the embedder's; both leave special tokens out. A chunk's headers are the
    headings above every line of it: it is one section, or several under the same headings, with
    their own headings as text. Tables, code and list items stay whole where they fit; the pieces of
    a table that does not fit repeat its head, those of a code block its fences; prose is split
    between sentences with an overlap of 12%.
    """

    def __init__(self, count_tokens: Callable[[str], int], max_tokens: int) -> None:
        self._count = count_tokens
        self._max_tokens = max_tokens

    @property
    def max_tokens(self) -> int:
        """The most of one chunk, its context included."""
        return self._max_tokens

    @property
    def identity(self) -> str:
        """Changes whenever chunks would; part of the index's identity."""
        return f"chunks-{CHUNKER_VERSION}-{self._max_tokens}"

    def chunks(self, document: Document) -> list[Chunk]:
        """All of the document's chunks in reading order; none for a page without text."""
        return list(self.each(document))

    def each(self, document: Document) -> Iterator[Chunk]:
        """As ``chunks``, cut while they are asked for."""
        page = parse(unicodedata.normalize("NFC", unix_lines(document.text)))
        pieces = (
            (headers, piece)
            for group in self._groups(page, document.title)
            for headers, piece in self._written(page, document.title, group)
            if piece.strip()
        )
        for position, (headers, piece) in enumerate(pieces):
            yield Chunk(document.id, position, piece, headers)

    def _groups(self, page: Page, title: str) -> Iterator[_Group]:
        """Sections, each merged with the next ones under the same headings as long as they fit."""
        group: _Group | None = None
        for section in _sections(page):
            wider = group.with_next(section) if group else None
            if wider and self._fits(page, title, wider):
                group = wider
                continue
            if group:
                yield group
            group = _Group.of(section)
        if group:
            yield group

    def _fits(self, page: Page, title: str, group: _Group) -> bool:
        size = self._count(page.written(group.start, group.end))
        return size <= self._budget(title, _headers(group.path, title))

    def _written(
        self, page: Page, title: str, group: _Group
    ) -> Iterator[tuple[tuple[str, ...], str]]:
        headers = _headers(group.path, title)
        if group.blocks is None:
            yield headers, page.written(group.start, group.end)
        else:
            for piece in self._pieces(page, group.blocks, self._budget(title, headers)):
                yield headers, piece

    def _budget(self, title: str, headers: tuple[str, ...]) -> int:
        """Tokens left for text, at least half of the limit: longer headings cut the end off."""
        context = Chunk("", 0, "", headers).context(title)
        return max(self._max_tokens - self._count(context + "\n"), self._max_tokens // 2, 1)

    def _pieces(self, page: Page, blocks: Sequence[Block], budget: int) -> Iterator[str]:
        """Neighbouring blocks share a piece while they fit."""
        waiting: list[Block] = []
        used = 0
        for block in blocks:
            size = self._count(page.written(block.start, block.end) + "\n\n")
            if waiting and used + size > budget:
                yield page.written(waiting[0].start, waiting[-1].end)
                waiting, used = [], 0
            if size > budget:
                yield from self._cut(block, budget)
            else:
                waiting.append(block)
                used += size
        if waiting:
            yield page.written(waiting[0].start, waiting[-1].end)

    def _cut(self, block: Block, budget: int) -> Iterator[str]:
        """A block that is too long alone."""
        if block.kind is Kind.TABLE:
            return self._framed(block.parts[0], block.parts[1:], "", budget)
        if block.kind is Kind.CODE:
            opening, *lines = block.parts
            closing = lines.pop() if lines and _FENCE.match(lines[-1]) else ""
            return self._framed(opening, lines, closing, budget)
        if block.kind is Kind.LIST:
            return self._packed(block.parts, budget, self._lines)
        return self._sentences(block.parts[0], budget)

    def _framed(self, head: str, parts: Sequence[str], foot: str, budget: int) -> Iterator[str]:
        """Every piece repeats head and foot, so that it is a table or a code block by itself."""
        frame = self._count(f"{head}\n{foot}\n")
        if frame > budget // 2:
            lines = [part for part in (head, *parts, foot) if part]
            yield from self._packed(lines, budget, self._sentences)
            return
        for piece in self._packed(parts, budget - frame, self._sentences):
            yield "\n".join(part for part in (head, piece, foot) if part)

    def _lines(self, text: str, budget: int) -> Iterator[str]:
        return self._packed(text.split("\n"), budget, self._sentences)

    def _packed(
        self, parts: Sequence[str], budget: int, cut: Callable[[str, int], Iterable[str]]
    ) -> Iterator[str]:
        """Neighbouring parts share a piece while they fit; one too long alone is ``cut``."""
        waiting: list[str] = []
        used = 0
        for part in parts:
            size = self._count(part + "\n")
            if waiting and used + size > budget:
                yield "\n".join(waiting)
                waiting, used = [], 0
            if size > budget:
                yield from cut(part, budget)
            else:
                waiting.append(part)
                used += size
        if waiting:
            yield "\n".join(waiting)

    def _sentences(self, text: str, budget: int) -> Iterator[str]:
        """Whole sentences, else words, else characters, each piece overlapping the one before."""
        splitter = SentenceSplitter(
            chunk_size=budget,
            chunk_overlap=int(budget * _OVERLAP),
            tokenizer=lambda piece: range(self._count(piece)),
            paragraph_separator="\n\n\n",
        )
        for piece in _SLICE.findall(text):
            yield from splitter.split_text(piece)


def embedded_text(title: str, chunk: Chunk) -> str:
    """The text that is embedded for a chunk: ``title › header › header``, then its own text."""
    return f"{chunk.context(title)}\n{chunk.text}"


@dataclass(frozen=True, slots=True)
class _Section:
    """The blocks between two headings: ``path`` are the headings above, its own the last."""

    path: tuple[Block, ...]
    blocks: tuple[Block, ...]

    @property
    def start(self) -> int:
        return self.path[-1].start if self.path else self.blocks[0].start

    @property
    def end(self) -> int:
        return self.blocks[-1].end if self.blocks else self.path[-1].end


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring sections in one chunk; ``path`` are the headings above ALL of its lines.

    ``blocks`` is None where the lines include headings and so are one piece.
    """

    path: tuple[Block, ...]
    start: int
    end: int
    blocks: tuple[Block, ...] | None
    first: _Section

    @classmethod
    def of(cls, section: _Section) -> _Group:
        """A heading with nothing below it is text itself."""
        if section.blocks:
            start = section.blocks[0].start
            return cls(section.path, start, section.end, section.blocks, section)
        return cls(section.path[:-1], section.start, section.end, section.path[-1:], section)

    def with_next(self, section: _Section) -> _Group | None:
        """This group and the section after it, if one path of headings is true for both."""
        above = section.path[:-1]
        for path, start in ((self.path, self.start), (self.first.path[:-1], self.first.start)):
            if above[: len(path)] == path:
                return _Group(path, start, section.end, None, self.first)
        return None


def _sections(page: Page) -> Iterator[_Section]:
    path: tuple[Block, ...] = ()
    body: list[Block] = []
    for block in page.blocks:
        if block.kind is not Kind.HEADING:
            body.append(block)
            continue
        if body or (path and path[-1].level >= block.level):
            yield _Section(path, tuple(body))
        body = []
        path = (*(heading for heading in path if heading.level < block.level), block)
    if body or path:
        yield _Section(path, tuple(body))


def _headers(path: Sequence[Block], title: str) -> tuple[str, ...]:
    """Titles of the headings, without the first if it repeats the document's title."""
    headers = tuple(heading.title for heading in path if heading.title)
    return headers[1:] if headers[:1] == (title,) else headers
