"""Read DOCX: headings, lists, tables, links and notes, by way of HTML."""

from __future__ import annotations

import io

import mammoth

from indexer.chunking.markdown import first_heading
from indexer.formats.archive import open_archive
from indexer.formats.extracted import Extracted
from indexer.formats.web import markdown


def read(content: bytes) -> Extracted:
    open_archive(content).close()
    converted = mammoth.convert_to_html(
        io.BytesIO(content), convert_image=mammoth.images.img_element(lambda image: {"src": ""})
    )
    text = markdown(converted.value)
    return Extracted(first_heading(text), text)
