"""`/lorebot settings`: how a channel is served, in a modal."""

from contextlib import closing

import pytest

from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.settings import Settings
from bot.workspace import Workspace
from bot.workspace.models import Payload
from tests.scenarios.conftest import ALICE, BOB, HELP, lorebot, shown

FILLED = {
    "auto_answer": ["on"],
    "owners": [BOB],
    "language": "de",
}
SAVED = ChannelSettings(HELP, True, (BOB,), "de")


def kept(settings: Settings) -> ChannelSettings:
    with closing(Database(settings.records_url)) as database:
        return Channels(database).of(HELP)


def opened(workspace: Workspace) -> Payload:
    workspace.command(ALICE, HELP, "/lorebot", "settings")
    return workspace.wait_for(lambda: workspace.modal(ALICE))


@pytest.mark.usefixtures("bot")
def test_a_channel_is_set_once_and_shown_as_set(workspace: Workspace, settings: Settings) -> None:
    assert kept(settings) == ChannelSettings(HELP)
    assert "initial_users" not in shown(opened(workspace))
    assert workspace.submit_view(ALICE, FILLED) == {}
    assert "Saved." in shown(workspace.modal(ALICE))
    assert kept(settings) == SAVED
    workspace.close_view(ALICE)
    again = shown(opened(workspace))
    assert '"initial_users": ["U0BOB"]' in again
    assert '"Deutsch"' in again


@pytest.mark.usefixtures("bot")
def test_submitting_is_checked_again(workspace: Workspace, settings: Settings) -> None:
    opened(workspace)
    workspace.change_person(ALICE, is_admin=False, is_owner=False)
    workspace.submit_view(ALICE, FILLED)
    assert "Only admins" in shown(workspace.modal(ALICE))
    assert kept(settings) == ChannelSettings(HELP)


@pytest.mark.usefixtures("bot")
def test_a_direct_conversation_has_no_settings(workspace: Workspace) -> None:
    assert "in the channel" in lorebot(workspace, "settings", channel="D0ALICE")["text"]
