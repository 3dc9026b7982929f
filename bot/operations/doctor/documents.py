"""Checks the sources: is there something to read, and may people in Slack read it?"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from bot.domain.settings import Settings
from bot.operations.doctor.finding import Finding, well, wrong
from indexer.settings import FilesSource, LlamaHubSource


def sources(settings: Settings) -> Iterator[Finding]:
    """Readers are installed; folders can be listed and hold files."""
    if not settings.sources:
        yield wrong(
            "sources",
            "No source is named: there is nothing to answer from.",
            "Add [[sources]] to lorebot.toml; the README shows one.",
        )
    for table in settings.sources:
        match table:
            case FilesSource():
                yield _folder(table)
            case LlamaHubSource():
                yield _reader(table)
            case _:
                yield well("sources", f"{table.name}: Slack's history; see the check of Slack.")


def audiences(settings: Settings) -> Iterator[Finding]:
    """Every source has readers in Slack."""
    for table in settings.sources:
        if isinstance(table, FilesSource) and not table.audience and not table.audiences:
            yield wrong(
                "audiences",
                f"{table.name} names no audience: pages without one of their own are not indexed.",
                'Give the source `audience = "public"`, or every page its own in its front matter.',
            )
        elif isinstance(table, FilesSource | LlamaHubSource):
            yield _held(table)


def _reader(table: LlamaHubSource) -> Finding:
    module = table.reader.partition(":")[0]
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        return wrong(
            "sources",
            f"{table.name}: the module {module} is not installed.",
            "Install the reader's package (docs/sources.md), or correct `reader` in [[sources]].",
        )
    return well("sources", f"{table.name}: {module} is installed; the next sync reads by it.")


def _folder(table: FilesSource) -> Finding:
    path = table.path.expanduser()
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        return wrong("sources", f"{table.name}: {path} {what}.", "Correct `path` in [[sources]].")
    refused: list[OSError] = []
    files = next((files for _, _, files in os.walk(path, onerror=refused.append) if files), [])
    if refused:
        return wrong(
            "sources",
            f"{table.name}: {refused[0].filename} cannot be listed ({refused[0].strerror}).",
            "Let the user that runs Lorebot read the folder and those below it.",
        )
    if not files:
        return wrong("sources", f"{table.name}: {path} is empty.", "Correct `path` in [[sources]].")
    return well("sources", f"{table.name}: {path} can be read.")


def _held(table: FilesSource | LlamaHubSource) -> Finding:
    """A person who asks in Slack holds public, their own id and their channels, but no group."""
    named = set(table.audience)
    if isinstance(table, FilesSource):
        named |= {principal for each in table.audiences.values() for principal in each}
    groups = sorted(principal for principal in named if principal.startswith("group:"))
    if groups and not named - set(groups):
        return wrong(
            "audiences",
            f"{table.name} is for {', '.join(groups)} alone, and nobody in Slack holds a group.",
            "Name a channel whose members are that group: slack_channel:C….",
        )
    return well("audiences", f"{table.name} is for {', '.join(sorted(named))}.")
