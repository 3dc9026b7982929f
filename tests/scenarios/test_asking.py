"""Where people ask: follow-ups without a mention, muted threads, open channels, /ask, shortcuts."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bot.domain.settings import Settings
from bot.domain.values import Occasion
from bot.records.answers import Answers
from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.workspace import Channel, Workspace
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    BOT,
    GUEST,
    HELP,
    LEADERS,
    Message,
    answer_to,
    ask,
    finished,
    private_notes,
    replies,
)

MEALS = "How much may I spend on meals per day when I travel?"
SECRET = "What is the purchase price in project Bittern?"
PRICE = "11.4 million"


@contextmanager
def records(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.records_url)) as database:
        yield database


def follow_up(workspace: Workspace, person: str, text: str, thread: str) -> list[Message]:
    """All finished replies in the thread, once whatever was asked before this is done."""
    workspace.post(person, HELP, text, thread_ts=thread)
    ask(workspace, "hello there!", channel="D0BOB", person=BOB)
    ask(workspace, MEALS, channel="D0BOB", person=BOB)
    return [one for one in replies(workspace, HELP, thread) if finished(one)]


@pytest.mark.usefixtures("bot")
def test_a_follow_up_needs_no_mention(workspace: Workspace) -> None:
    thread = ask(workspace, MEALS)["thread_ts"]
    workspace.post(ALICE, HELP, "and at home?", thread_ts=thread)

    def second() -> list[Message]:
        return [one for one in replies(workspace, HELP, thread) if "30 EUR" in str(one["text"])]

    assert workspace.wait_for(second, timeout=30)


@pytest.mark.usefixtures("bot")
def test_a_follow_up_is_not_lost_while_slack_does_not_show_its_thread(workspace: Workspace) -> None:
    """Its event gets no receipt then, so that Slack sends it again."""
    thread = ask(workspace, MEALS)["thread_ts"]
    workspace.faults.add("conversations.replies", status=500)
    ts = workspace.post(ALICE, HELP, "and at home?", thread_ts=thread)
    (event,) = workspace.event_ids(ts)
    workspace.wait_for(lambda: workspace.acknowledged(event), timeout=30)
    assert workspace.attempts(event) > 1
    workspace.wait_for(
        lambda: [one for one in replies(workspace, HELP, thread) if "30 EUR" in str(one["text"])],
        timeout=30,
    )


@pytest.mark.usefixtures("bot")
def test_people_who_talk_among_themselves_are_left_alone(workspace: Workspace) -> None:
    thread = ask(workspace, MEALS)["thread_ts"]
    for person, text in (
        (ALICE, "thanks!"),
        (ALICE, "That was what I needed."),
        (ALICE, f"<@{BOB}> did you know that?"),
        (ALICE, "Bob, what do you think about the meals?"),
        (BOB, "No idea, to be honest."),
    ):
        workspace.post(person, HELP, text, thread_ts=thread)
    assert len(follow_up(workspace, ALICE, "How much is it at home?", thread)) == 1


@pytest.mark.usefixtures("bot")
def test_a_thread_the_bot_was_not_asked_in_is_none_of_its_business(workspace: Workspace) -> None:
    thread = workspace.post(ALICE, HELP, "Planning my trip to Porto.")
    assert follow_up(workspace, ALICE, MEALS, thread) == []


@pytest.mark.usefixtures("bot")
def test_a_muted_thread_stays_quiet_until_it_is_unmuted(workspace: Workspace) -> None:
    thread = ask(workspace, MEALS)["thread_ts"]
    workspace.post(BOB, HELP, f"{BOT} mute", thread_ts=thread)
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    assert "quiet" in note["text"]
    assert len(follow_up(workspace, ALICE, "and at home?", thread)) == 1
    workspace.post(ALICE, HELP, f"{BOT} unmute", thread_ts=thread)
    workspace.wait_for(lambda: private_notes(workspace, ALICE))
    workspace.post(ALICE, HELP, "and at home?", thread_ts=thread)
    workspace.wait_for(lambda: len(replies(workspace, HELP, thread)) == 2)


@pytest.mark.usefixtures("bot")
def test_a_channel_may_have_every_question_answered_but_no_guesses(
    workspace: Workspace, settings: Settings
) -> None:
    with records(settings) as database:
        Channels(database).save(ChannelSettings(HELP, auto_answer=True))
    ts = workspace.post(BOB, HELP, MEALS)
    assert "45 EUR" in answer_to(workspace, HELP, ts)["text"]
    unknown = workspace.post(BOB, HELP, "What is the melting point of tungsten?")
    chatter = workspace.post(BOB, HELP, "The kitchen is closed today.")
    ask(workspace, MEALS, channel="D0BOB", person=BOB)
    assert replies(workspace, HELP, unknown) == replies(workspace, HELP, chatter) == []
    assert workspace.status(HELP, unknown) == ""


def asked_privately(
    workspace: Workspace, question: str, person: str = ALICE, channel: str = HELP
) -> Message:
    """Type /ask and return the note that answers it."""
    workspace.command(person, channel, "/ask", question)

    def answered() -> list[Message]:
        notes = private_notes(workspace, person, channel)
        return [one for one in notes if "Looking through" not in str(one["text"])]

    return workspace.wait_for(answered, timeout=30)[-1]


@pytest.mark.usefixtures("bot")
def test_ask_answers_the_asker_alone_from_all_that_they_may_read(workspace: Workspace) -> None:
    note = asked_privately(workspace, SECRET)
    assert PRICE in json.dumps(note)
    everybody = [one for one in workspace.messages(HELP) if not one.get("ephemeral_to")]
    assert everybody == []
    assert PRICE not in json.dumps(asked_privately(workspace, SECRET, person=BOB))
    assert "not guests" in asked_privately(workspace, MEALS, person=GUEST)["text"]


@pytest.mark.usefixtures("bot")
def test_ask_leaves_nothing_but_its_answer(workspace: Workspace) -> None:
    asked_privately(workspace, MEALS)
    (note,) = private_notes(workspace, ALICE)
    assert "45 EUR" in note["text"]


@pytest.mark.usefixtures("bot")
def test_ask_works_where_the_bot_is_not(workspace: Workspace) -> None:
    workspace.leave("U0LOREBOT", "C0ENG")
    assert "45 EUR" in json.dumps(asked_privately(workspace, MEALS, BOB, "C0ENG"))
    workspace.add_channel(Channel("C0DUO", "duo", (ALICE, BOB), is_private=True))
    assert PRICE in json.dumps(asked_privately(workspace, SECRET, ALICE, "C0DUO"))
    assert PRICE not in json.dumps(asked_privately(workspace, SECRET, BOB, "C0DUO"))
    assert {one.get("ephemeral_to") for one in workspace.messages("C0DUO")} == {ALICE, BOB}


@pytest.mark.usefixtures("bot")
def test_in_a_group_message_a_mention_is_answered_for_everybody_there(
    workspace: Workspace,
) -> None:
    group = "G0TRIO"
    trio = (ALICE, BOB, "U0LOREBOT")
    workspace.add_channel(Channel(group, "mpdm-alice--bob--lorebot-1", trio, is_mpim=True))
    unasked = workspace.post(ALICE, group, MEALS)
    assert "45 EUR" in ask(workspace, MEALS, channel=group)["text"]
    assert PRICE not in json.dumps(ask(workspace, SECRET, channel=group))
    assert replies(workspace, group, unasked) == []


@pytest.mark.usefixtures("bot")
def test_ask_without_a_question_says_how(workspace: Workspace) -> None:
    workspace.command(BOB, HELP, "/ask")
    (note,) = private_notes(workspace, BOB)
    assert "/ask How do I" in note["text"]


@pytest.mark.usefixtures("bot")
def test_sharing_answers_anew_for_the_channel_and_shows_nothing_of_the_private_answer(
    workspace: Workspace,
) -> None:
    note = asked_privately(workspace, SECRET)
    workspace.click(ALICE, HELP, note["ts"], "share")

    def put() -> list[Message]:
        shared = "Alice shares a question"
        return [one for one in workspace.messages(HELP) if shared in str(one["text"])]

    (root,) = workspace.wait_for(put, timeout=30)
    assert workspace.pinged(HELP, root["ts"]) == ()
    answer = answer_to(workspace, HELP, root["ts"])
    assert "could not find" in answer["text"]
    public = [one for one in workspace.messages(HELP) if not one.get("ephemeral_to")]
    assert PRICE not in json.dumps(public)
    workspace.click(ALICE, HELP, note["ts"], "share")
    assert len(put()) == 1


@pytest.mark.usefixtures("bot")
def test_what_everybody_may_read_is_shared_with_its_sources(workspace: Workspace) -> None:
    note = asked_privately(workspace, MEALS, person=BOB)
    workspace.click(BOB, HELP, note["ts"], "share")
    roots = workspace.wait_for(
        lambda: [one for one in workspace.messages(HELP) if "Bob shares" in str(one["text"])]
    )
    assert "45 EUR" in answer_to(workspace, HELP, roots[0]["ts"])["text"]


@pytest.mark.usefixtures("bot")
def test_sharing_where_the_bot_is_not_is_explained(workspace: Workspace) -> None:
    note = asked_privately(workspace, MEALS, person=BOB, channel="C0ENG")
    workspace.leave("U0LOREBOT", "C0ENG")
    workspace.click(BOB, "C0ENG", note["ts"], "share")
    (told,) = workspace.wait_for(lambda: workspace.messages("D0BOB"))
    assert "/invite @Lorebot" in told["text"]


@pytest.mark.usefixtures("bot")
def test_a_message_can_be_asked_about_and_is_answered_in_its_thread(
    workspace: Workspace, settings: Settings
) -> None:
    ts = workspace.post(BOB, HELP, "I am off to Porto <!channel> for the *fair*.")
    workspace.shortcut(ALICE, HELP, ts, "ask_about_this")
    modal = workspace.wait_for(lambda: workspace.modal(ALICE))
    assert "Porto" in json.dumps(modal["blocks"])
    assert "<!channel>" not in json.dumps(modal["blocks"])
    workspace.submit_view(ALICE, {"question": MEALS})
    answer = answer_to(workspace, HELP, ts)
    assert "45 EUR" in answer["text"]
    assert "Asked: How much may I spend" in json.dumps(answer["blocks"])
    with records(settings) as database:
        asked = Answers(database).asked(f"form:{modal['id']}")
    assert (asked.occasion, asked.asker) == (Occasion.SHORTCUT, ALICE)


@pytest.mark.usefixtures("bot")
def test_a_shortcut_where_the_bot_is_not_is_explained_to_the_asker(workspace: Workspace) -> None:
    ts = workspace.post(BOB, "C0ENG", "I am off to Porto.")
    workspace.leave("U0LOREBOT", "C0ENG")
    workspace.shortcut(ALICE, "C0ENG", ts, "ask_about_this")
    workspace.submit_view(ALICE, {"question": MEALS})
    (told,) = workspace.wait_for(lambda: workspace.messages("D0ALICE"), timeout=30)
    assert "/invite @Lorebot" in told["text"]


@pytest.mark.usefixtures("bot")
def test_asking_about_a_message_answers_for_everybody_in_the_channel(workspace: Workspace) -> None:
    public = workspace.post(BOB, HELP, "What was that about Bittern?")
    workspace.shortcut(ALICE, HELP, public, "ask_about_this")
    workspace.submit_view(ALICE, {"question": SECRET})
    assert PRICE not in json.dumps(answer_to(workspace, HELP, public))
    private = workspace.post(ALICE, LEADERS, "What was that about Bittern?")
    workspace.shortcut(ALICE, LEADERS, private, "ask_about_this")
    workspace.submit_view(ALICE, {"question": SECRET})
    assert PRICE in json.dumps(answer_to(workspace, LEADERS, private))
