"""`/lorebot models`: changing what answers, each time confirmed and checked again."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.models.registry import Registry
from bot.records.database import Database
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, HELP, Message, lorebot, private_notes, shown


@pytest.fixture
def registry(settings: Settings, tiny_model: Path) -> Iterator[Registry]:
    with closing(Database(settings.records_url)) as database:
        registry = Registry(database, settings.models_dir)
        registry.add(tiny_model, name="first")
        registry.add(tiny_model, name="second")
        yield registry


def press(workspace: Workspace, note: Message, action: str) -> str:
    """Press the note's button as Alice and return what then stands in its place."""
    workspace.click(ALICE, HELP, note["ts"], action)

    def replaced() -> list[Message]:
        notes = private_notes(workspace, ALICE)
        return [one for one in notes if one["ts"] == note["ts"] and one["text"] != note["text"]]

    (found,) = workspace.wait_for(replaced, timeout=20)
    return str(found["text"])


@pytest.mark.usefixtures("bot")
def test_versions_are_used_tried_and_rolled_back(workspace: Workspace, registry: Registry) -> None:
    listed = shown(lorebot(workspace, "models list"))
    assert "`first`" in listed
    assert "`second`" in listed

    note = lorebot(workspace, "models use first")
    assert registry.serving().version is None  # nothing before the button
    assert "answers from now on" in press(workspace, note, "model_use")
    lorebot_text = press(workspace, lorebot(workspace, "models use second"), "model_use")
    assert "*second*" in lorebot_text

    press(workspace, lorebot(workspace, "models canary first 10% <#C0HELP|help>"), "model_canary")
    canary = registry.serving().canary
    assert canary is not None
    assert (canary.version.name, canary.share, canary.channels) == ("first", 0.1, (HELP,))
    assert "10% of the questions" in shown(lorebot(workspace, "models"))

    press(workspace, lorebot(workspace, "models canary end"), "model_end_canary")
    assert registry.serving().canary is None
    press(workspace, lorebot(workspace, "models rollback"), "model_rollback")
    serving = registry.serving().version
    assert serving is not None
    assert serving.name == "first"
    assert {change.by for change in registry.history()} == {ALICE}


@pytest.mark.usefixtures("bot")
def test_the_button_is_checked_again(workspace: Workspace, registry: Registry) -> None:
    note = lorebot(workspace, "models use first")
    workspace.change_person(ALICE, is_admin=False, is_owner=False)
    assert "Only admins" in press(workspace, note, "model_use")
    assert registry.serving().version is None


@pytest.mark.usefixtures("bot", "registry")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("models use third", "There is no model version third"),
        ("models canary first everywhere", "such as 10%"),
        ("models canary first 500%", "such as 10%"),
        ("models delete first", "I know /lorebot models"),
    ],
)
def test_what_is_not_there_or_not_known_is_a_sentence(
    workspace: Workspace, typed: str, told: str
) -> None:
    assert told in lorebot(workspace, typed)["text"]


@pytest.mark.usefixtures("bot", "registry")
def test_nothing_to_roll_back_is_a_sentence(workspace: Workspace) -> None:
    assert "Nothing served before" in press(
        workspace, lorebot(workspace, "models rollback"), "model_rollback"
    )
