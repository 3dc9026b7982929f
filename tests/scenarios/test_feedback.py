from pathlib import Path

import pytest

from bot.domain import Thumb
from bot.records.database import Database
from bot.records.votes import Votes
from bot.settings import Settings
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOB, HELP, Message, ask

MEALS = "How much may I spend on meals per day when I travel?"


def answer_id(message: Message) -> str:
    actions = next(block for block in message["blocks"] if block["type"] == "context_actions")
    return str(actions["elements"][0]["positive_button"]["value"]).partition(":")[2]


def votes(settings: Settings, message: Message) -> dict[str, Thumb]:
    database = Database(settings.records_url)
    try:
        return {vote.voter: vote.thumb for vote in Votes(database).of(answer_id(message))}
    finally:
        database.close()


@pytest.mark.usefixtures("bot")
def test_a_click_is_kept_and_the_last_one_of_a_person_wins(
    workspace: Workspace, settings: Settings
) -> None:
    message = ask(workspace, MEALS)
    identifier = answer_id(message)
    for person, thumb in ((ALICE, "up"), (BOB, "up"), (ALICE, "down")):
        workspace.click(person, HELP, message["ts"], "feedback", f"{thumb}:{identifier}")
    assert votes(settings, message) == {ALICE: Thumb.DOWN, BOB: Thumb.UP}


@pytest.mark.usefixtures("bot")
def test_only_the_voter_sees_the_thanks(workspace: Workspace) -> None:
    message = ask(workspace, MEALS)
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")

    def thanked() -> list[Message]:
        return [m for m in workspace.messages(HELP) if m.get("ephemeral_to")]

    (note,) = workspace.wait_for(thanked)
    assert note["ephemeral_to"] == BOB
    assert "Thank you" in note["text"]


@pytest.mark.usefixtures("bot")
def test_records_survive_the_bot(workspace: Workspace, settings: Settings) -> None:
    ask(workspace, MEALS)
    assert Path(settings.data_dir / "records.sqlite").is_file()
