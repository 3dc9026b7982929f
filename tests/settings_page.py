"""docs/settings.md, made of the settings' own classes: keys, defaults and docstrings.

``python -m tests.settings_page`` writes it; a test holds it to the code.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from adapters.settings import AdaptersTable
from bot.domain import settings as bot
from bot.domain.thresholds import Thresholds
from indexer import settings as indexer
from indexer.settings import Table

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
_HEAD = """\
# Settings

`lorebot.toml` in the working directory, or wherever `LOREBOT_CONFIG` points. Every key can also be
given as `LOREBOT_<TABLE>_<KEY>` in the environment, which wins; secrets belong there, or into files
named by `LOREBOT_<TABLE>_<KEY>_FILE`. A misspelt setting is an error, never ignored;
`lorebot-index` checks the tables that it reads. `lorebot doctor` says what is wrong with an
installation.

This page is made from the settings' own classes by `python -m tests.settings_page`; a test holds it
to the code.
"""

TABLES: list[tuple[str, type[Table]]] = [
    ('[[sources]] kind = "files"', indexer.FilesSource),
    ('[[sources]] kind = "slack"', indexer.SlackSource),
    ('[[sources]] kind = "llamahub"', indexer.LlamaHubSource),
    ("[store]", indexer.StoreTable),
    ("[extraction]", indexer.ExtractionTable),
    ("[index]", indexer.IndexTable),
    ("[[index.postprocessors]]", indexer.NamedClass),
    ("[[index.retrievers]]", indexer.FusedRetriever),
    ("[model]", bot.ModelTable),
    ("[thresholds]", Thresholds),
    ("[slack]", bot.SlackTable),
    ("[records]", bot.RecordsTable),
    ("[retention]", bot.RetentionTable),
    ("[canary]", bot.CanaryTable),
    ("[monitor]", bot.MonitorTable),
    ("[logs]", bot.LogsTable),
    ("[adapters]", AdaptersTable),
]


def page() -> str:
    """The whole page. Tables of ``[adapters]`` follow it, each under its own head."""
    parts = [
        _HEAD,
        _section("Outside of any table", indexer.IndexSettings, {"data_dir", "cache_dir"}),
    ]
    for head, table in TABLES:
        parts.append(_section(f"`{head}`", table))
        for name, field in table.model_fields.items():
            kind = field.annotation
            if table is AdaptersTable and isinstance(kind, type) and issubclass(kind, Table):
                parts.append(_section(f"`[adapters.{name}]`", kind))
    return "\n".join(parts)


def _section(head: str, table: type[Any], only: set[str] | None = None) -> str:
    rows = [
        f"| `{field.alias or name}` | {_default(field)} | {_meaning(table, name, field)} |"
        for name, field in table.model_fields.items()
        if (only is None or name in only) and not _is_table(field)
    ]
    intro = "" if only else " ".join(_lines(table.__doc__)) + "\n\n"
    intro = re.sub(r"^`\[\[?[\w.]+\]\]?[^`]*`: (\w)", lambda found: found[1].upper(), intro)
    return (
        f"## {head}\n\n{intro}| key | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _is_table(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Table)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None:
        return ""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", (), {}):
        return ""
    return f"`{value}`"


def _meaning(table: type[Any], name: str, field: FieldInfo) -> str:
    told = _docstrings(table).get(name) or field.description or ""
    return " ".join(_lines(told)).replace("|", "\\|").replace("``", "`")


def _lines(text: str | None) -> list[str]:
    return (text or "").replace("``", "`").split()


def _docstrings(table: type[Any]) -> dict[str, str]:
    """What stands below each field, also of the classes that the table extends."""
    found: dict[str, str] = {}
    for each in reversed(table.__mro__):
        if each.__module__.partition(".")[0] in ("adapters", "bot", "indexer"):
            found |= dict(_of_class(each))
    return found


def _of_class(each: type[Any]) -> Iterator[tuple[str, str]]:
    tree = ast.parse(inspect.getsource(sys.modules[each.__module__]))
    (definition,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == each.__name__
    )
    for one, following in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            yield one.target.id, str(following.value.value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
