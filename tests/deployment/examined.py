"""A sound installation, and what the doctor finds wrong once something is changed in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.settings import Settings
from bot.operations.doctor.examination import examine
from bot.operations.doctor.finding import Finding
from bot.slack.connection.manifest import manifest
from bot.workspace import Workspace

Tables = dict[str, Any]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace(manifest=manifest()) as running:
        yield running


@pytest.fixture
def sound(tmp_path: Path, cache_dir: Path, workspace: Workspace) -> Tables:
    """Settings with which all is well."""
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "lunch.md").write_text("# Lunch\n\nSoup is served at noon.\n")
    return {
        "data_dir": tmp_path / "data",
        "cache_dir": cache_dir,
        "sources": [{"name": "docs", "path": documents, "audience": "public"}],
        "slack": {
            "bot_token": workspace.bot_token,
            "app_token": workspace.app_token,
            "api_url": workspace.api_url,
            "admins": ["U0ALICE"],
            "digest_channel": "C0HELP",
        },
    }


def settings(sound: Tables, **changes: Tables) -> Settings:
    """The sound settings, with some keys of some tables changed."""
    for table, keys in changes.items():
        sound = sound | {table: {**sound.get(table, {}), **keys}}
    return Settings(**sound)


def with_source(sound: Tables, **keys: Any) -> Settings:
    return Settings(**(sound | {"sources": [sound["sources"][0] | keys]}))


def wrongs(given: Settings, *only: str) -> list[Finding]:
    found = [finding for finding in examine(given, only) if not finding.ok]
    assert all(finding.mend for finding in found)
    return found


def one_wrong(given: Settings, check: str) -> Finding:
    """What is found, and that it is said and mended in sentences of its own."""
    (found,) = wrongs(given, check)
    return found
