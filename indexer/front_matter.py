"""Parse the front matter of a page: its audience, title, URL and date.

YAML between ``---`` and TOML between ``+++`` are read. A page that seems to name its readers in any
other form is refused: it must not be left to the readers of its folder, who may be all.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from difflib import SequenceMatcher
from typing import Any

import yaml

from indexer.documents import Audience
from indexer.errors import AudienceError, DocumentError

_AUDIENCE = "audience"
_SPELLINGS = (_AUDIENCE, "audiences")
"""Read whatever their case."""
_OTHER_WORDS = frozenset(
    """access accesslevel acl allowedreaders classification confidential confidentiality internal
    permission permissions private reader readers readableby restricted restrictedto sensitivity
    viewers visibility visibleto""".split()
)
_HARMLESS = (None, False, "", "public", "false", "no", "none")
_LIKENESS = 0.85
_LOOK_ALIKE = str.maketrans("аеіоруԁсхυνіαεοιης", "aeiopydcxuvi" + "aeoinc")
_FENCE = re.compile(r"[ \t]*(-{3,}|\+{3,}|;{3,})[ \t]*(?:ya?ml|toml|json)?[ \t]*")
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_KEY = re.compile(r"""[\s:#+*>{-]*["']?([^\W\d_][\w .-]{2,30}?)["']?\s*[:=]\s*(.*)""")
_WORDS = re.compile(r"[^\W\d_]+")
_META = re.compile(r"""<meta\b[^>]*\bname\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_PRINCIPAL = re.compile(r"\b(?:slack_user|slack_channel|group):\w")
_HEAD_LINES = 60
_LINES_TO_A_PRINCIPAL = 4


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a page says of itself; unknown keys are left to other tools."""

    title: str = ""
    url: str = ""
    audience: Audience | None = None
    updated: datetime | None = None


def split(text: str) -> tuple[FrontMatter, str]:
    """A page's front matter and the text below it.

    Blank lines and comments may stand before it. Raises DocumentError for what is wrong in it, and
    for a page that seems to name its readers where or how it is not read.
    """
    block = _block(text)
    if block is None:
        refuse_hidden_readers(text)
        return FrontMatter(), text
    matter = _read(_parsed(block))
    if matter.audience is None:
        for rest in (block.above, block.body):
            refuse_hidden_readers(rest)
    return matter, block.body


def refuse_hidden_readers(text: str) -> None:
    """Raises DocumentError if the top of a file without front matter seems to name its readers.

    That is a word for readers near a principal of ours, or one between fences at the very top.
    Code is left alone: a page may show how it is done.
    """
    lines = list(_outside_code(text.lstrip("\ufeff").split("\n")[:_HEAD_LINES]))
    for number, line in enumerate(lines):
        key = _KEY.fullmatch(line.strip())
        named = [word for word in _WORDS.findall(line) if _is_spelt_like_audience(word)]
        named += [key[1]] if key and _is_like_audience(key[1]) else []
        near = "\n".join(lines[number : number + _LINES_TO_A_PRINCIPAL])
        if named and _PRINCIPAL.search(near):
            raise _unread(named[0])
    for line in _fenced(lines):
        key = _KEY.fullmatch(line.strip())
        if key and _is_spelt_like_audience(key[1]):
            raise _unread(key[1])
    for name in _META.findall("\n".join(lines)):
        if _is_like_audience(name):
            raise _unread(name)


def _outside_code(lines: list[str]) -> Iterator[str]:
    code = False
    for line in lines:
        if line.lstrip().startswith(("```", "~~~")):
            code = not code
        elif not code:
            yield line


def _fenced(lines: list[str]) -> Iterator[str]:
    """What stands behind a fence, or a brace, with nothing but blank lines above it."""
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return
    if _FENCE.fullmatch(lines[first]) or lines[first].strip() == "{":
        for line in lines[first + 1 :]:
            if line.startswith("# "):
                return
            yield line


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines between two fences, and all above and below them."""

    fence: str
    above: str
    content: str
    first_line: int
    body: str


def _block(text: str) -> _Block | None:
    """The front matter; None for a page that begins with text, or with a thematic break."""
    rest = text.lstrip("\ufeff")
    while comment := _COMMENT.match(rest):
        rest = rest[comment.end() :]
    rest = rest.lstrip()
    opening, _, below = rest.partition("\n")
    fence = opening.strip()
    if fence not in ("---", "+++"):
        return None
    lines = below.split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip() in (fence, "...")]
    if not ends:
        return None
    content = lines[: ends[0]]
    if content and not content[0].strip() and not any(map(_KEY.fullmatch, content)):
        return None  # a thematic break, and another one below
    above = text[: len(text) - len(below)]
    body = "\n".join(lines[ends[0] + 1 :]).lstrip("\n")
    return _Block(fence, above, "\n".join(content), above.count("\n") + 1, body)


class _Loader(yaml.SafeLoader):
    """Of two lines with one key YAML would take the last, which may say that all may read."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [
            self.construct_object(key, deep=True)
            for key, _ in node.value
            if key.tag != "tag:yaml.org,2002:merge"
        ]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise DocumentError(
                f"its front matter says `{min(twice)}` twice; keep the line that is right."
            )
        return super().construct_mapping(node, deep)


def _parsed(block: _Block) -> Mapping[str, object]:
    try:
        if block.fence == "+++":
            return tomllib.loads(block.content)
        values = yaml.load(block.content, _Loader)  # noqa: S506 - a SafeLoader
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(
            f"its front matter is not TOML ({error}); correct or remove the lines between the +++."
        ) from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + block.first_line})" if where else ""
        raise DocumentError(
            f"its front matter is not YAML{line}; correct or remove the lines between the ---."
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise DocumentError(
            f"its front matter holds a wrong value ({error}); correct it."
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DocumentError(
            "its front matter is no list of `key: value` lines; correct or remove it."
        )
    return values


def _read(values: Mapping[str, object]) -> FrontMatter:
    try:
        audience = _audience(values)
    except (AudienceError, TypeError) as error:
        raise DocumentError(f"its front matter has a wrong audience: {error}") from error
    return FrontMatter(
        title=_word(values.get("title")),
        url=_word(values.get("url")),
        audience=audience,
        updated=_moment(values.get("updated")),
    )


def _audience(values: Mapping[str, object]) -> Audience | None:
    """Raises DocumentError where other keys seem to name readers, AudienceError, TypeError."""
    given = [key for key in values if str(key).casefold().strip() in _SPELLINGS]
    if len(given) > 1:
        raise DocumentError(f"its front matter says {' and '.join(given)}; keep one of them.")
    for key, value in _all_keys(values):
        if key in given:
            continue
        if _is_like_audience(key) and (given == [] or _word_of(key) not in _OTHER_WORDS):
            harmless = value if isinstance(value, str | bool | None) else True
            if _word_of(key) in _OTHER_WORDS and _folded(harmless) in _HARMLESS:
                continue
            raise _unread(key)
    if given:
        return Audience.parse(values[given[0]])
    for key, value in _all_keys(values):
        if _PRINCIPAL.search(yaml.safe_dump(value) if not isinstance(value, str) else value):
            raise _unread(key)
    return None


def _all_keys(values: object) -> Iterator[tuple[str, object]]:
    """Every key of a mapping and of those in it, with its value."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield str(key), value
            yield from _all_keys(value)
    elif isinstance(values, list):
        for value in values:
            yield from _all_keys(value)


def _is_like_audience(key: str) -> bool:
    """Whether it is a word for readers, in whatever spelling."""
    word = _word_of(key)
    return _is_spelt_like_audience(key) or _AUDIENCE in word or word in _OTHER_WORDS


def _is_spelt_like_audience(key: str) -> bool:
    """Also with letters of another alphabet."""
    word = _word_of(key)
    return SequenceMatcher(None, word, _AUDIENCE, autojunk=False).ratio() >= _LIKENESS


def _word_of(key: str) -> str:
    folded = unicodedata.normalize("NFKD", key).casefold().translate(_LOOK_ALIKE)
    return "".join(letter for letter in folded if letter.isalpha())


def _folded(value: object) -> object:
    return value.strip().casefold() if isinstance(value, str) else value


def _unread(key: str) -> DocumentError:
    return DocumentError(
        f"it seems to name its readers (`{' '.join(key.split())}`) in a form that is not read; "
        "write `audience: …` between --- lines at the top of a Markdown or text file, or set "
        "the readers of its folder in [sources.audiences] and remove that line."
    )


def _word(value: object) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _moment(value: object) -> datetime | None:
    """YAML and TOML read dates themselves; anything left as text must be ISO 8601."""
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
