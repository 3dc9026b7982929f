"""Nobody is pinged, no foreign link is shown, and no private text leaves its readers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.workspace import Workspace
from indexer.index import open_index
from indexer.settings import FilesSource
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    GUEST,
    HELP,
    LEADERS,
    answer_to,
    ask,
    connected,
    lorebot,
    shown,
    vote,
)
from tests.scenarios.test_asking import PRICE, SECRET, asked_privately

PLANTED = (
    "<!channel> and <@U0BOB>, open <http://evil.example/a|safe>, "
    "[here](https://evil.example/b), ![x](https://evil.example/c.png) or https://evil.example/d."
)
HOSTILE = "&lt;!channel&gt; <@U0BOB> <http://evil.example|safe> melting point of tungsten?"


@pytest.fixture
def planted_bot(settings: Settings, workspace: Workspace, tmp_path: Path) -> Iterator[None]:
    """The bot over a page that somebody has planted."""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "soup.md").write_text(f"# Soup\n\nThe soup of the day is lentils: {PLANTED}\n")
    source = FilesSource(
        name="pages", path=pages, audience=("public",), link="https://docs.example/{path}"
    )
    own = settings.model_copy(update={"sources": (source,)})
    with open_index(own) as index:
        index.sync()
        with connected(own, index, workspace):
            yield


@pytest.mark.usefixtures("planted_bot")
def test_a_planted_page_is_quoted_and_pings_nobody_and_links_only_to_itself(
    workspace: Workspace,
) -> None:
    for channel in (HELP, "D0BOB"):
        answer = ask(workspace, "What is the soup of the day?", channel, person=BOB)
        assert "lentils" in answer["text"]
        assert workspace.pinged(channel, answer["ts"]) == ()
        assert set(workspace.links(channel, answer["ts"])) == {"https://docs.example/soup.md"}
    note = asked_privately(workspace, "What is the soup of the day?", person=BOB)
    assert set(workspace.links(HELP, note["ts"])) == {"https://docs.example/soup.md"}


@pytest.mark.usefixtures("planted_bot")
def test_what_people_write_pings_nobody_from_forms_home_and_digest(workspace: Workspace) -> None:
    answer = ask(workspace, HOSTILE, person=ALICE)
    assert workspace.pinged(HELP, answer["ts"]) == ()
    assert set(workspace.links(HELP, answer["ts"])) <= {"https://docs.example/soup.md"}
    workspace.shortcut(ALICE, HELP, answer["thread_ts"], "ask_about_this")
    surfaces = [workspace.wait_for(lambda: workspace.modal(ALICE))]
    workspace.close_view(ALICE)
    vote(workspace, ALICE, answer, "down")
    surfaces.append(workspace.wait_for(lambda: workspace.modal(ALICE)))
    workspace.open_home(ALICE)
    surfaces.append(workspace.wait_for(lambda: workspace.home(ALICE)))
    digest = lorebot(workspace, "digest")
    assert workspace.pinged(HELP, digest["ts"]) == ()
    surfaces.append(digest)
    for surface in surfaces:
        told = shown(surface)
        assert "<!channel" not in told
        assert "<@U0BOB" not in told
        assert "evil.example" not in told.replace("`http://evil.example`", "")


@pytest.mark.usefixtures("bot")
def test_a_public_channel_never_shows_private_text_whoever_asks(workspace: Workspace) -> None:
    assert PRICE in ask(workspace, SECRET, channel="D0ALICE")["text"]
    assert PRICE in ask(workspace, SECRET, channel=LEADERS)["text"]
    for person in (ALICE, BOB, GUEST):
        thread = ask(workspace, SECRET, person=person)["thread_ts"]
        again = workspace.post(person, HELP, f"<@U0LOREBOT> {SECRET}", thread_ts=thread)
        workspace.wait_for(
            lambda thread=thread, again=again: [  # type: ignore[misc]
                one
                for one in workspace.messages(HELP, thread_ts=thread)
                if one.get("bot_id") and one["ts"] > again and "Looking" not in one["text"]
            ]
        )
    shortcut = workspace.post(BOB, HELP, "What of Bittern?")
    workspace.shortcut(ALICE, HELP, shortcut, "ask_about_this")
    workspace.submit_view(ALICE, {"question": SECRET})
    answer_to(workspace, HELP, shortcut)
    assert PRICE not in json.dumps(workspace.messages(HELP))


@pytest.mark.usefixtures("bot")
def test_a_guest_gets_nothing_anywhere(workspace: Workspace) -> None:
    meals = "How much may I spend on meals per day when I travel?"
    for channel in (HELP, "D0CARLA"):
        answer = ask(workspace, meals, channel, person=GUEST)
        assert "not guests" in answer["text"]
    assert "not guests" in asked_privately(workspace, meals, person=GUEST)["text"]
    assert "45 EUR" not in json.dumps([workspace.messages(HELP), workspace.messages("D0CARLA")])


@pytest.mark.usefixtures("bot")
def test_who_left_a_channel_loses_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the two minutes for which it is remembered: tests/slack/replies/test_audience.py."""
    assert PRICE in ask(workspace, SECRET, channel="D0ALICE")["text"]
    workspace.leave(ALICE, LEADERS)
    monkeypatch.setattr("bot.slack.replies.audience._SECONDS", 0.0)
    assert PRICE not in json.dumps(ask(workspace, SECRET, channel="D0ALICE"))
    assert PRICE not in json.dumps(asked_privately(workspace, SECRET))
