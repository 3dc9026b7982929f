"""Read PPTX: one heading per slide, then its text, tables and notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE

from indexer.formats.archive import open_archive
from indexer.formats.extracted import Extracted, one_line, table


def read(content: bytes) -> Extracted:
    open_archive(content).close()
    slides = Presentation(io.BytesIO(content)).slides
    return Extracted("", "\n\n".join(_slide(number, each) for number, each in enumerate(slides, 1)))


def _slide(number: int, slide: Any) -> str:
    title = slide.shapes.title
    name = one_line(title.text_frame.text) if title is not None else ""
    parts = [part for shape in _flat(slide.shapes) if shape != title for part in _parts(shape)]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        parts += [f"Notes: {notes}"] if notes else []
    heading = f"## Slide {number}: {name}" if name else f"## Slide {number}"
    return "\n\n".join([heading, *parts]) if name or parts else ""


def _flat(shapes: Iterable[Any]) -> Iterator[Any]:
    for shape in shapes:
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
            yield from _flat(shape.shapes)
        else:
            yield shape


def _parts(shape: Any) -> Iterator[str]:
    if getattr(shape, "has_table", False):
        yield table([cell.text for cell in row.cells] for row in shape.table.rows)
    elif shape.has_text_frame:
        lines = [
            f"{'  ' * paragraph.level}- {text}"
            for paragraph in shape.text_frame.paragraphs
            if (text := one_line(paragraph.text))
        ]
        if len(lines) == 1:
            lines = [lines[0].strip().removeprefix("- ")]
        if lines:
            yield "\n".join(lines)
