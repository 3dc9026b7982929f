"""Convert HTML to Markdown, without navigation, forms, scripts and hidden parts."""

from __future__ import annotations

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

from indexer.chunking.markdown import first_heading
from indexer.formats.extracted import Extracted, one_line

_NOT_TEXT = (
    "script style noscript template iframe object svg canvas nav form button "
    "[hidden] [role=navigation] [aria-hidden=true]"
).split()


def read(content: bytes) -> Extracted:
    """The ``<main>`` or ``<article>`` element where there is exactly one, else the whole page."""
    page = BeautifulSoup(content, "html.parser")
    title = one_line(page.title.get_text()) if page.title else ""
    text = _converted(page)
    return Extracted(title or first_heading(text), text)


def markdown(html: str | bytes) -> str:
    return _converted(BeautifulSoup(html, "html.parser"))


def _converted(page: BeautifulSoup) -> str:
    for element in page.select(", ".join(_NOT_TEXT)):
        element.decompose()
    if page.head:
        page.head.decompose()
    main = page.select("main, [role=main]") or page.select("article")
    text = _Converter().convert_soup(main[0] if len(main) == 1 else page)
    return str(text)


class _Converter(MarkdownConverter):
    """ATX headings and fenced code; images become their alternative texts."""

    class Options:
        heading_style = "atx"
        bullets = "-"
        escape_underscores = False
        escape_asterisks = False

    def convert_img(self, element: object, text: str, parent_tags: object) -> str:
        return one_line(element.get("alt"))  # type: ignore[attr-defined]
