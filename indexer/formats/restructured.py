"""Read reStructuredText, also with Sphinx's roles and directives, by way of HTML."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives
from docutils.parsers.rst.languages import en

from indexer.chunking.markdown import first_heading
from indexer.formats.extracted import Extracted
from indexer.formats.plain import decode
from indexer.formats.web import markdown

_ROLE = re.compile(
    r":(?!pep|rfc|code|math)[a-z][\w+.:-]*:`~?([^`<]*[^`<\s])\s*(?:<[^`>]*>)?`", re.IGNORECASE
)
"""A role, replaced by its text; those that docutils renders better are left to it."""
_DIRECTIVE = re.compile(r"^\s*\.\. ([\w:+.-]+)::", re.MULTILINE)
_NO_TEXT = {"toctree", "index", "currentmodule", "highlight"}
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "halt_level": 5,
    "report_level": 5,
    "syntax_highlight": "none",
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "initial_header_level": 2,
    "_disable_config": True,
}
"""No other file is included, no raw HTML passed on, and no warning written into the text."""


def read(content: bytes) -> Extracted:
    text = _ROLE.sub(r"\1", decode(content))
    for name in set(_DIRECTIVE.findall(text)):
        if name.lower() not in en.directives:
            kind = _Silent if name.lower() in _NO_TEXT else _Transparent
            directives.register_directive(name.lower(), kind)
    parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    body = markdown(parts["html_body"])
    return Extracted(first_heading(body), body)


class _AnyOption(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        return directives.unchanged


class _Transparent(Directive):  # type: ignore[misc]
    """An unknown directive (``versionadded``, ``tab-set``): replaced by its content."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = _AnyOption()

    def run(self) -> list[Any]:
        inside = nodes.container()
        if self.arguments:
            inside += nodes.paragraph(text=self.arguments[0])
        self.state.nested_parse(self.content, self.content_offset, inside)
        return [inside]


class _Silent(_Transparent):
    """A directive whose content is for Sphinx, not for readers: left out."""

    def run(self) -> list[Any]:
        return []
