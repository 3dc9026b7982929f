"""Asking a person: the owners are called once, and their reply becomes the right answer."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.domain.settings import Settings
from bot.domain.values import CorrectionKind
from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.records.feedback import Corrections
from bot.records.threads import Escalation, Escalations
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOB, HELP, Message, ask, private_notes, replies
from tests.scenarios.test_feedback import answer_id

UNKNOWN = "What is the melting point of tungsten?"


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.records_url)) as database:
        Channels(database).save(ChannelSettings(HELP, owners=(BOB,)))
        yield database


def called(workspace: Workspace, thread: str) -> list[Message]:
    return [one for one in replies(workspace, HELP, thread) if f"<@{BOB}>" in str(one["text"])]


@pytest.mark.usefixtures("bot")
def test_the_owners_are_called_in_the_thread_once(workspace: Workspace, database: Database) -> None:
    message = ask(workspace, UNKNOWN)
    thread = message["thread_ts"]
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    (call,) = workspace.wait_for(lambda: called(workspace, thread))
    assert workspace.pinged(HELP, call["ts"]) == (BOB,)
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    workspace.wait_for(lambda: "already" in private_notes(workspace, ALICE)[-1]["text"])
    assert len(called(workspace, thread)) == 1


@pytest.mark.usefixtures("bot")
def test_an_owners_reply_is_kept_and_learned_only_with_their_consent(
    workspace: Workspace, database: Database
) -> None:
    message = ask(workspace, UNKNOWN)
    thread = message["thread_ts"]
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    workspace.wait_for(lambda: called(workspace, thread))
    workspace.post(BOB, HELP, "In which unit?", thread_ts=thread)
    workspace.post(ALICE, HELP, "In degrees Celsius.", thread_ts=thread)
    workspace.post(BOB, HELP, "It melts at 3422 °C.", thread_ts=thread)
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    corrections = Corrections(database)
    (kept,) = corrections.of(answer_id(message))
    assert (kept.author, kept.text) == (BOB, "It melts at 3422 °C.")
    assert (kept.kind, kept.may_learn) == (CorrectionKind.ESCALATION, False)
    workspace.click(BOB, HELP, note["ts"], "escalation_learn")
    (kept,) = corrections.of(answer_id(message))
    assert (kept.text, kept.may_learn) == ("It melts at 3422 °C.", True)
    workspace.post(BOB, HELP, "You are welcome.", thread_ts=thread)
    ask(workspace, "hello", channel="D0BOB", person=BOB)
    assert corrections.of(answer_id(message)) == [kept]


@pytest.mark.usefixtures("bot")
def test_an_owner_may_have_the_reply_discarded(workspace: Workspace, database: Database) -> None:
    message = ask(workspace, UNKNOWN)
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    workspace.post(BOB, HELP, "Nobody here knows.", thread_ts=message["thread_ts"])
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    workspace.click(BOB, HELP, note["ts"], "escalation_discard")
    assert Corrections(database).of(answer_id(message)) == []


@pytest.mark.usefixtures("bot")
def test_without_owners_it_is_said_how_to_name_some(workspace: Workspace) -> None:
    message = ask(workspace, UNKNOWN)
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    (note,) = workspace.wait_for(lambda: private_notes(workspace, ALICE))
    assert "/lorebot" in note["text"]


@pytest.mark.usefixtures("bot")
def test_a_call_whose_answer_is_lost_is_not_made_twice(
    workspace: Workspace, database: Database
) -> None:
    message = ask(workspace, UNKNOWN)
    workspace.faults.add("chat.postMessage", status=0, carried_out=True)
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    workspace.wait_for(
        lambda: len([c for c in workspace.calls if c.method == "conversations.replies"]) >= 2,
        timeout=20,
    )
    ask(workspace, "hello", channel="D0BOB", person=BOB)
    assert len(called(workspace, message["thread_ts"])) == 1


@pytest.mark.usefixtures("bot")
def test_a_call_that_was_kept_and_not_begun_is_made_when_it_is_asked_for_again(
    workspace: Workspace, database: Database
) -> None:
    """As after a kill between the two."""
    message = ask(workspace, UNKNOWN)
    kept = Escalation(answer_id(message), HELP, message["thread_ts"], ALICE, (BOB,))
    assert Escalations(database).begin(kept)
    workspace.click(ALICE, HELP, message["ts"], "ask_person")
    workspace.wait_for(lambda: called(workspace, message["thread_ts"]))


@pytest.mark.usefixtures("bot")
def test_in_a_direct_message_nobody_can_be_called(workspace: Workspace) -> None:
    message = ask(workspace, UNKNOWN, channel="D0ALICE")
    assert "ask_person" not in str(message["blocks"])
