"""The pages of a documents folder, so that the demo's citations open something."""

from __future__ import annotations

from html import escape
from pathlib import Path

from aiohttp import web
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

PATH = "/documents"


class Documents:
    """Serves the Markdown files below ``folder`` and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        # No raw HTML: a document is data, also in a browser.
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._markdown.use(front_matter_plugin)

    async def handle(self, request: web.Request) -> web.Response:
        path = (self._folder / request.match_info["path"]).resolve()
        if path.suffix != ".md" or not path.is_relative_to(self._folder) or not path.is_file():
            raise web.HTTPNotFound(text="There is no such document.")
        body = self._markdown.render(path.read_text(encoding="utf-8"))
        name = escape(path.relative_to(self._folder).as_posix())
        return web.Response(text=_PAGE.format(name=name, body=body), content_type="text/html")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<link rel="stylesheet" href="/page/style.css"><link rel="stylesheet" href="/page/document.css">
</head><body class="document"><p class="soft">{name}</p><article>{body}</article></body></html>
"""
