"""Guests, and everybody in a channel shared with others: no act of theirs steers the bot."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from bot.domain.settings import Settings
from bot.records.channels import Channels, ChannelSettings, People
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.records.statistics import Statistics
from bot.records.threads import Escalations, Threads
from bot.workspace import Channel, Workspace
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    BOT,
    GUEST,
    HELP,
    Message,
    ask,
    lorebot,
    private_notes,
    shown,
    vote,
)
from tests.scenarios.test_feedback import MEALS, answer_id

pytestmark = pytest.mark.usefixtures("bot")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.records_url)) as database:
        yield database


def refused(workspace: Workspace, person: str = GUEST, why: str = "not guests") -> None:
    workspace.wait_for(
        lambda: any(why in str(note["text"]) for note in private_notes(workspace, person))
    )


def test_a_guest_does_not_vote_by_button_or_reaction(
    workspace: Workspace, database: Database
) -> None:
    message = ask(workspace, MEALS)
    vote(workspace, GUEST, message, "down")
    refused(workspace)
    assert workspace.modal(GUEST) is None
    before = len(private_notes(workspace, GUEST))
    workspace.react(GUEST, HELP, message["ts"], "+1")
    workspace.wait_for(lambda: len(private_notes(workspace, GUEST)) > before)
    assert Votes(database).of(answer_id(message)) == []


def test_a_form_that_was_open_when_its_person_became_a_guest_is_refused(
    workspace: Workspace, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.replies.audience._SECONDS", 0.0)
    message = ask(workspace, MEALS)
    vote(workspace, BOB, message, "down")
    workspace.wait_for(lambda: workspace.modal(BOB))
    workspace.change_person(BOB, is_restricted=True)
    workspace.submit_view(BOB, {"text": "It is 500 EUR now.", "consent": ["may_learn"]})
    assert "not guests" in shown(workspace.modal(BOB))
    assert Corrections(database).of(answer_id(message)) == []
    (note,) = private_notes(workspace, BOB)
    workspace.click(BOB, HELP, note["ts"], "withdraw_vote")  # what is one's own may be taken back
    assert Votes(database).of(answer_id(message)) == []


def test_a_guest_calls_no_person_and_owns_no_reply(
    workspace: Workspace, database: Database
) -> None:
    Channels(database).save(ChannelSettings(HELP, owners=(GUEST,)))
    message = ask(workspace, "What is the melting point of tungsten?")
    thread = message["thread_ts"]
    workspace.click(GUEST, HELP, message["ts"], "ask_person")
    refused(workspace)
    assert Escalations(database).waiting(HELP, thread) == []
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    workspace.wait_for(lambda: Escalations(database).waiting(HELP, thread))
    before = len(private_notes(workspace, GUEST))
    workspace.post(GUEST, HELP, "It melts at 20 °C.", thread_ts=thread)
    workspace.wait_for(lambda: len(private_notes(workspace, GUEST)) > before)
    assert Corrections(database).of(answer_id(message)) == []


def test_a_guest_mutes_no_thread(workspace: Workspace, database: Database) -> None:
    thread = ask(workspace, MEALS)["thread_ts"]
    workspace.post(GUEST, HELP, f"{BOT} mute", thread_ts=thread)
    refused(workspace)
    assert Threads(database).is_engaged(HELP, thread)
    workspace.post(ALICE, HELP, f"{BOT} mute", thread_ts=thread)
    workspace.wait_for(lambda: not Threads(database).is_engaged(HELP, thread))
    before = len(private_notes(workspace, GUEST))
    workspace.post(GUEST, HELP, f"{BOT} unmute", thread_ts=thread)
    workspace.wait_for(lambda: len(private_notes(workspace, GUEST)) > before)
    assert not Threads(database).is_engaged(HELP, thread)


def test_a_guest_opens_no_form_and_chooses_no_language(
    workspace: Workspace, database: Database
) -> None:
    ts = workspace.post(ALICE, HELP, "The kitchen is closed today.")
    workspace.shortcut(GUEST, HELP, ts, "ask_about_this")
    refused(workspace)
    assert workspace.modal(GUEST) is None
    workspace.open_home(GUEST)
    home = workspace.wait_for(lambda: workspace.home(GUEST))
    assert "not guests" in shown(home)
    workspace.click_in_view(GUEST, home["id"], "home_language", "de")
    workspace.wait_for(lambda: workspace.messages("D0CARLA"))
    assert "not guests" in shown(workspace.messages("D0CARLA")[-1])
    assert People(database).language(GUEST) == ""


def test_a_refused_guest_is_not_counted_as_unanswered(
    workspace: Workspace, database: Database
) -> None:
    ask(workspace, MEALS, person=GUEST)
    workspace.wait_for(lambda: Statistics(database).totals().waiting == 0)
    assert "1 question so far, all answered or refused" in lorebot(workspace, "status")["text"]


@pytest.mark.parametrize(
    "act",
    [
        lambda workspace, message: vote(workspace, BOB, message, "up"),
        lambda workspace, message: workspace.click(BOB, HELP, message["ts"], "ask_person"),
        lambda workspace, message: workspace.react(BOB, HELP, message["ts"], "-1"),
        lambda workspace, message: workspace.post(
            BOB, HELP, f"{BOT} mute", thread_ts=message["thread_ts"]
        ),
    ],
)
def test_in_a_channel_that_was_shared_since_nobody_steers(
    workspace: Workspace,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Workspace, Message], object],
) -> None:
    monkeypatch.setattr("bot.slack.replies.audience._SECONDS", 0.0)
    Channels(database).save(ChannelSettings(HELP, owners=(ALICE,)))
    message = ask(workspace, MEALS)
    workspace.change_channel(HELP, is_ext_shared=True)
    act(workspace, message)
    refused(workspace, BOB, "another organisation")
    assert Votes(database).of(answer_id(message)) == []
    assert Escalations(database).waiting(HELP, message["thread_ts"]) == []
    assert Threads(database).is_engaged(HELP, message["thread_ts"])


def test_what_slack_cannot_tell_is_refused_with_a_sentence(
    workspace: Workspace, database: Database
) -> None:
    message = ask(workspace, MEALS)
    workspace.faults.add("users.info", error="internal_error", times=1)
    vote(workspace, BOB, message, "up")
    refused(workspace, BOB, "done nothing")
    assert Votes(database).of(answer_id(message)) == []
    vote(workspace, BOB, message, "up")
    assert [one.voter for one in Votes(database).of(answer_id(message))] == [BOB]


def test_a_shortcut_where_the_bot_is_not_says_how_to_invite_it(workspace: Workspace) -> None:
    workspace.add_channel(Channel("C0DUO", "duo", (ALICE, BOB), is_private=True))
    ts = workspace.post(ALICE, "C0DUO", "The kitchen is closed today.")
    workspace.shortcut(BOB, "C0DUO", ts, "ask_about_this")
    workspace.wait_for(
        lambda: any("/invite" in note["text"] for note in private_notes(workspace, BOB, "C0DUO"))
    )
