"""Parse the YAML front matter of a page: its audience, title, URL and date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

from indexer.documents import Audience
from indexer.errors import AudienceError, DocumentError


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The keys that we read; all others are left to other tools."""

    title: str = ""
    url: str = ""
    audience: Audience | None = None
    updated: datetime | None = None


def split(text: str) -> tuple[FrontMatter, str]:
    """A page's front matter and the text below it. Raises DocumentError."""
    first = next(iter(_parser().parse(text)), None)
    if first is None or first.type != "front_matter" or first.map is None:
        return FrontMatter(), text
    body = "\n".join(text.split("\n")[first.map[1] :])
    return _read(first.content), body.lstrip("\n")


def _read(content: str) -> FrontMatter:
    try:
        values = yaml.safe_load(content)
    except ValueError as error:
        raise DocumentError(
            f"its front matter holds a wrong value ({error}); correct it."
        ) from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 2})" if where else ""
        raise DocumentError(
            f"its front matter is not YAML{line}; correct or remove the lines between the ---."
        ) from error
    if values is None:
        return FrontMatter()
    if not isinstance(values, dict):
        raise DocumentError(
            "its front matter is no list of `key: value` lines; correct or remove it."
        )
    try:
        audience = Audience.parse(values["audience"]) if "audience" in values else None
    except (AudienceError, TypeError) as error:
        raise DocumentError(f"its front matter has a wrong audience: {error}") from error
    return FrontMatter(
        title=_word(values.get("title")),
        url=_word(values.get("url")),
        audience=audience,
        updated=_moment(values.get("updated")),
    )


def _word(value: object) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _moment(value: object) -> datetime | None:
    """YAML reads dates itself; anything it left as text must be ISO 8601."""
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    try:
        return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise DocumentError(
            f"its front matter says `updated: {value}`; write a date such as 2025-01-31."
        ) from error


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("zero").use(front_matter_plugin).disable("inline")
