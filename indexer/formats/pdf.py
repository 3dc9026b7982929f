"""Read PDF: the text of each page, by PDFium."""

from __future__ import annotations

import re

import pypdfium2

from indexer.errors import DocumentError
from indexer.formats.extracted import Extracted

_PASSWORD = 4
"""PDFium's FPDF_ERR_PASSWORD."""
_ENCRYPTED = "it is encrypted; save it without a password."
_HYPHEN = re.compile("[\ufffe\x02]\r?\n?")
"""What PDFium writes for a hyphen that breaks a word at the end of a line."""
_UNASSIGNED = re.compile("[\ufffe\uffff\x00-\x08\x0b\x0c\x0e-\x1f]")


def read(content: bytes) -> Extracted:
    """One heading per page, so that citations name the page.

    The title is left empty: what programs write into a PDF's title is seldom one.
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", 0) == _PASSWORD:
            raise DocumentError(_ENCRYPTED) from error
        raise
    pages = [_page(document, number) for number in range(len(document))]
    if not any(pages) and pypdfium2.raw.FPDF_GetSecurityHandlerRevision(document.raw) >= 0:
        raise DocumentError(_ENCRYPTED)
    if pages and not any(pages):
        raise DocumentError(
            "it holds pictures or drawings but no text; run text recognition (OCR) over it."
        )
    filled = [(number, text) for number, text in enumerate(pages, 1) if text]
    return Extracted("", "\n\n".join(f"## Page {number}\n\n{text}" for number, text in filled))


def _page(document: pypdfium2.PdfDocument, number: int) -> str:
    page = document[number]
    try:
        text = page.get_textpage().get_text_range()
    finally:
        page.close()
    return _UNASSIGNED.sub("", _HYPHEN.sub("", text)).strip()
