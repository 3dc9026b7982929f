"""The pages of a documents folder, so that the demo's citations open something."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from aiohttp import web
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

PATH = "/documents"
_SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Documents:
    """Serves the Markdown files below ``folder`` and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        # No raw HTML: a document is data, also in a browser.
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._markdown.use(front_matter_plugin)
        self._markdown.add_render_rule("image", _described)

    async def handle(self, request: web.Request) -> web.Response:
        try:
            name, text = self._read(request.match_info["path"])
        # A null byte, a name that is too long, a loop of links, a page that is no text …
        except (OSError, ValueError, RuntimeError):
            raise web.HTTPNotFound(text="There is no such document.", headers=_SAFE) from None
        page = _PAGE.format(name=escape(name), body=self._markdown.render(text))
        return web.Response(text=page, content_type="text/html", headers=_SAFE)

    def _read(self, wanted: str) -> tuple[str, str]:
        path = (self._folder / wanted).resolve()
        name = path.relative_to(self._folder).as_posix()
        if path.suffix != ".md" or not path.is_file():
            raise FileNotFoundError(name)
        return name, path.read_text(encoding="utf-8")


def _described(_renderer: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    """A picture as its description: no picture is served here, and a foreign one tells its host
    who reads the page.
    """
    described = escape(tokens[index].content)
    return f'<span class="soft">[{described}]</span>' if described else ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="/page/icon.svg">
<link rel="stylesheet" href="/page/style.css"><link rel="stylesheet" href="/page/document.css">
</head><body class="document"><p class="soft">{name}</p><article>{body}</article></body></html>
"""
