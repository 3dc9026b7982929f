"""The running bot calls off a canary whose votes fall behind, and writes it down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dbos import DBOS

from bot.domain.settings import Settings
from bot.models.registry import Registry
from bot.records.database import Database
from bot.workspace import Workspace
from tests.models.test_canary_votes import Voters
from tests.scenarios.conftest import HELP, lorebot, shown
from tests.services.tiny_adapter import write_tiny_adapter


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.records_url)) as database:
        yield database


@pytest.fixture
def registry(database: Database, settings: Settings, tiny_model: Path, tmp_path: Path) -> Registry:
    """``old`` answers; an adapter beside it is tried in the help channel."""
    write_tiny_adapter(tmp_path / "new.gguf", "Ġthe")
    registry = Registry(database, settings.models_dir)
    registry.add(tiny_model, name="old")
    registry.add(tmp_path / "new.gguf", name="new", base="old")
    registry.activate("old", "ana")
    registry.canary("new", "ana", channels=(HELP,))
    return registry


def look(workspace: Workspace) -> None:
    """What the schedule does every ten minutes, now."""
    DBOS.trigger_schedule("canary").get_result()
    assert workspace.bot_connected


@pytest.mark.usefixtures("registry", "bot")
def test_canary_with_bad_votes_is_called_off(
    workspace: Workspace, registry: Registry, database: Database
) -> None:
    voters = Voters(database, registry)
    voters.vote("old", up=18, down=2)
    look(workspace)
    assert registry.serving().canary is not None  # nobody has voted on the canary yet
    voters.vote("new", up=1, down=14)
    look(workspace)
    assert registry.serving().canary is None
    assert registry.serving().version == registry.version("old")
    audit = shown(lorebot(workspace, "audit"))
    assert "by itself  *canary rolled back* `new`" in audit


@pytest.mark.usefixtures("registry", "bot")
def test_canary_with_good_votes_goes_on(
    workspace: Workspace, registry: Registry, database: Database
) -> None:
    voters = Voters(database, registry)
    voters.vote("old", up=10, down=10)
    voters.vote("new", up=14, down=1)
    look(workspace)
    assert registry.serving().canary is not None
    assert "canary" not in shown(lorebot(workspace, "audit"))
