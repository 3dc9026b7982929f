"""`/lorebot settings`: how a channel is served, in a modal."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.workspace import Workspace
from bot.workspace.state.models import Payload
from indexer.index import open_index
from indexer.settings import FilesSource
from tests.scenarios.conftest import ALICE, BOB, HELP, LEADERS, ask, connected, lorebot, shown

FILLED = {
    "auto_answer": ["on"],
    "owners": [BOB],
    "language": "de",
    "persona": "as a  patient colleague\n",
}
SAVED = ChannelSettings(HELP, True, (BOB,), "de", "as a patient colleague")
LUNCH = "When is lunch served?"


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
    assert '"initial_value": "as a patient colleague"' in again


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


@pytest.fixture
def two_sources(settings: Settings, workspace: Workspace, tmp_path: Path) -> Iterator[Settings]:
    """The bot over a wiki and a canteen, whose kitchen is for the leaders alone."""
    pages = {
        "wiki/lunch.md": "# Lunch\n\nLunch is served at noon in the wiki.",
        "canteen/lunch.md": "# Lunch\n\nLunch is served at one in the canteen.",
        "canteen/kitchen.md": f"---\naudience: [slack_channel:{LEADERS}]\n---\n# Kitchen\n\n"
        "Lunch is served at two to the leaders.",
    }
    for name, text in pages.items():
        path = tmp_path / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = tuple(
        FilesSource(name=name, path=tmp_path / "pages" / name, audience=("public",))
        for name in ("canteen", "wiki")
    )
    own = settings.model_copy(update={"sources": sources})
    with open_index(own) as index:
        index.sync()
        with connected(own, index, workspace):
            yield own


@contextmanager
def channels(settings: Settings) -> Iterator[Channels]:
    with closing(Database(settings.records_url)) as database:
        yield Channels(database)


def chosen(workspace: Workspace, channel: str, *sources: str) -> None:
    """Choose sources as Alice does."""
    workspace.command(ALICE, channel, "/lorebot", "settings")
    workspace.wait_for(lambda: workspace.modal(ALICE))
    assert workspace.submit_view(ALICE, {"sources": list(sources)}) == {}
    workspace.close_view(ALICE)


def test_a_channel_is_answered_from_the_sources_that_were_chosen_for_it(
    workspace: Workspace, two_sources: Settings
) -> None:
    chosen(workspace, HELP, "wiki")
    told = json.dumps(ask(workspace, LUNCH))
    assert "noon" in told
    assert "canteen" not in told
    assert "noon" in json.dumps(ask(workspace, LUNCH, channel="D0ALICE"))
    chosen(workspace, HELP, "canteen")
    told = json.dumps(ask(workspace, LUNCH))
    assert "at one in the canteen" in told
    assert "noon" not in told
    assert "leaders" not in told  # a source is no key to what a channel may not read
    with channels(two_sources) as kept:
        assert kept.of(HELP).sources == ("canteen",)


def test_sources_are_chosen_among_those_there_are(
    workspace: Workspace, two_sources: Settings
) -> None:
    with channels(two_sources) as kept:
        kept.save(ChannelSettings(HELP, sources=("wiki", "gone")))
    modal = shown(opened(workspace))
    assert "No longer there, so nothing is found in them: gone" in modal
    assert [modal.count(f'"value": "{name}"') for name in ("wiki", "canteen")] == [2, 1]


@pytest.mark.usefixtures("bot")
def test_what_a_form_could_not_send_is_refused(workspace: Workspace, settings: Settings) -> None:
    opened(workspace)
    problems = workspace.submit_view(ALICE, FILLED | {"persona": "calm " * 61})
    assert list(problems) == ["persona"]
    assert kept(settings) == ChannelSettings(HELP)


@pytest.mark.usefixtures("writing_bot")
def test_a_persona_reaches_the_model(workspace: Workspace, settings: Settings) -> None:
    """The tiny model repeats, more or less, how its last instruction begins."""
    with channels(settings) as kept:
        kept.save(ChannelSettings(HELP, persona="marmalade"))
    meals = "How much may I spend on meals per day when I travel?"
    assert "tone" in ask(workspace, meals)["text"]
    assert "tone" not in ask(workspace, meals, channel="D0ALICE")["text"]
