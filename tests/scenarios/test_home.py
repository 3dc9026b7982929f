"""App Home: one's own for everyone, the state of the bot for admins."""

from contextlib import closing

import httpx
import pytest

from bot.domain.settings import Settings
from bot.records.channels import People
from bot.records.database import Database
from bot.workspace import Workspace
from bot.workspace.state.models import Payload
from tests.scenarios.conftest import ALICE, BOB, HELP, ask, shown, vote

MEALS = "How much may I spend on meals per day when I travel?"


def home(workspace: Workspace, person: str, *words: str) -> Payload:
    """The home tab, opened by somebody, once it shows these words."""
    workspace.open_home(person)

    def found() -> Payload | None:
        view = workspace.home(person)
        return view if view and all(word in shown(view) for word in words) else None

    found_view = workspace.wait_for(found)
    assert found_view is not None
    return found_view


@pytest.mark.usefixtures("bot")
def test_everyone_finds_help_and_their_own_questions(workspace: Workspace) -> None:
    assert "not asked me anything" in shown(home(workspace, BOB, "Mention me"))
    asked = ask(workspace, MEALS, person=BOB)["thread_ts"]
    link = f"{workspace.url}archives/{HELP}/p{asked.replace('.', '')}"
    view = shown(home(workspace, BOB, "meals"))
    assert link in view
    opened = httpx.get(link)
    assert opened.headers["location"] == f"/?channel={HELP}&thread={asked}"
    assert "For admins" not in view
    assert "meals" not in shown(home(workspace, ALICE, "For admins"))


@pytest.mark.usefixtures("bot")
def test_admins_see_health_freshness_votes_and_what_serves(workspace: Workspace) -> None:
    answer = ask(workspace, MEALS)
    ask(workspace, "What is the melting point of tungsten?")
    ask(workspace, "What is the density of osmium?", channel="D0BOB", person=BOB)
    vote(workspace, BOB, answer, "up")
    view = shown(home(workspace, ALICE, "For admins", "1 up"))
    assert ":large_green_circle: slack" in view
    assert ":red_circle:" not in view
    assert "*handbook*" in view
    assert "quoted from the documents" in view
    assert "█" in view
    assert "tungsten" in view
    assert "osmium" not in view


@pytest.mark.usefixtures("bot")
def test_what_people_asked_can_neither_ping_nor_link(workspace: Workspace) -> None:
    hostile = "&lt;!channel&gt; <@U0ALICE> see <http://evil.example|safe> ok?"
    ask(workspace, hostile, channel="D0BOB", person=BOB)
    view = shown(home(workspace, BOB, "ok?"))
    assert "<!channel>" not in view
    assert "<@U0ALICE>" not in view
    assert "evil.example" not in view


@pytest.mark.usefixtures("bot")
def test_a_language_is_chosen_and_everything_forgotten(
    workspace: Workspace, settings: Settings
) -> None:
    ask(workspace, MEALS, person=BOB)
    view = home(workspace, BOB, "meals")
    workspace.click_in_view(BOB, view["id"], "home_language", "de")
    workspace.wait_for(lambda: language(settings) == "de")
    home(workspace, BOB, '"initial_option": {"text": {"type": "plain_text", "text": "Deutsch"')
    workspace.click_in_view(BOB, view["id"], "home_forget_me")
    workspace.wait_for(lambda: "Forgotten: 1 question" in shown(workspace.home(BOB)))
    assert language(settings) == ""
    assert "not asked me anything" in shown(home(workspace, BOB, "Mention me"))


def language(settings: Settings) -> str:
    with closing(Database(settings.records_url)) as database:
        return People(database).language(BOB)
