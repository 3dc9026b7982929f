"""What Lorebot keeps is its own user's alone: the whole data folder is walked after real use."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.operations.backup import back_up
from bot.operations.restore import restore
from bot.records.database import Database
from bot.workspace import Workspace
from indexer.index import open_index
from indexer.private_files import make_private_folder
from indexer.settings import FilesSource, IndexSettings
from tests.scenarios.conftest import ask, connected, slack_over_a_socket
from tests.scenarios.test_crash import environment, running

__all__ = ["environment"]

UMASKS = pytest.mark.parametrize("umask", [0o022, 0o000], ids=oct)


@pytest.fixture
def set_umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.fixture
def transport() -> str:
    return "socket"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "coffee.md").write_text("# Coffee\n\nThe coffee machine is on floor 3.\n")
    return folder


def open_to_others(folder: Path) -> list[str]:
    """Paths with the modes that they should not have, the folder's own first."""
    found = []
    for path in (folder, *sorted(folder.rglob("*"))):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found.append(f"{path.relative_to(folder.parent)} {mode:o}")
    return found


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@UMASKS
def test_a_bot_in_any_process_leaves_its_data_to_its_own_user(
    workspace: Workspace,
    installed: Settings,
    pages: Path,
    umask: int,
    set_umask: Callable[[int], int],
) -> None:
    set_umask(umask)
    source = FilesSource(name="pages", path=pages, audience=("public",))
    slack = slack_over_a_socket(workspace)
    settings = installed.model_copy(update={"slack": slack, "sources": (source,)})
    with open_index(settings) as index:
        index.sync()
        with connected(settings, index, workspace):
            assert "floor 3" in ask(workspace, "Where is the coffee machine?")["text"]
            assert open_to_others(settings.data_dir) == []
            index.begin_rebuild()
            index.plan([], complete=False)
            assert open_to_others(settings.data_dir) == []
    assert open_to_others(settings.data_dir) == []
    assert {"in-use.lock", "index.sqlite", "syncs.json", "sources/pages.sqlite"} <= names(
        settings.data_dir
    )


@UMASKS
def test_commands_leave_their_data_and_cached_documents_to_their_own_user(
    workspace: Workspace,
    environment: dict[str, str],
    installed: Settings,
    pages: Path,
    tmp_path: Path,
    umask: int,
    set_umask: Callable[[int], int],
) -> None:
    set_umask(umask)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "models").symlink_to(installed.cache_dir / "models")
    environment = environment | {"LOREBOT_CACHE_DIR": str(cache)}
    asked = [sys.executable, "-m", "bot.cli.main", "ask", "Where is the coffee?", "--docs", pages]
    subprocess.run(asked, env=environment, check=True, capture_output=True)
    with running(environment, workspace):
        ask(workspace, "How much may I spend on meals per day when I travel?")
        assert open_to_others(installed.data_dir) == []
    assert open_to_others(installed.data_dir) == []
    assert any(name.endswith("index.sqlite") for name in names(cache / "folders"))
    assert open_to_others(cache / "folders") == []


@UMASKS
def test_backups_and_what_a_restore_puts_in_place_are_private(
    installed: Settings, tmp_path: Path, umask: int, set_umask: Callable[[int], int]
) -> None:
    set_umask(umask)
    if installed.records.address:
        pytest.skip("records of a server are in no file")
    with closing(Database(installed.records_url)):
        pass
    installed.models_dir.mkdir(mode=0o755)
    (installed.models_dir / "note.txt").write_text("x")
    kept, _ = back_up(installed, tmp_path / "kept.zip", models=True)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    restore(installed, kept, force=True)
    assert open_to_others(installed.data_dir) == []


def test_what_is_there_is_tightened_at_the_start_but_no_link_is_followed(
    cache_dir: Path, tmp_path: Path, set_umask: Callable[[int], int]
) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside.txt"
    (data / "models").mkdir(parents=True)
    for path in (data / "records.sqlite", data / "models" / "m.gguf", outside):
        path.write_text("x")
    (data / "models" / "link").symlink_to(outside)
    with open_index(IndexSettings(cache_dir=cache_dir, data_dir=data)):
        pass
    assert [one for one in open_to_others(data) if "models/link" not in one] == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


def test_a_folder_that_is_reached_by_a_link_is_tightened_too(
    cache_dir: Path, tmp_path: Path, set_umask: Callable[[int], int]
) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o755)
    (tmp_path / "data").symlink_to(real)
    with open_index(IndexSettings(cache_dir=cache_dir, data_dir=tmp_path / "data")):
        pass
    assert open_to_others(real) == []


def test_a_folder_that_others_share_keeps_its_mode(tmp_path: Path) -> None:
    """Such as the one that a backup is written to: as root it could be /dev, or a team's share."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_private_folder(shared)
    make_private_folder(shared / "own" / "deeper")
    assert shared.stat().st_mode & 0o777 == 0o755
    assert (shared / "own").stat().st_mode & 0o777 == 0o700
