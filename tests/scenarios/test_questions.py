import json

import pytest

from bot.workspace import Workspace
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    BOT,
    GUEST,
    HELP,
    LEADERS,
    Message,
    StartBot,
    answer_to,
    ask,
    replies,
)

MEALS = "How much may I spend on meals per day when I travel?"
SECRET = "What is Project Bittern?"


def visible(message: Message) -> str:
    """Everything of a message that anybody could see."""
    return json.dumps([message["text"], message.get("blocks")], ensure_ascii=False)


@pytest.mark.usefixtures("bot")
def test_a_mention_is_answered_in_its_thread_with_sources_and_buttons(
    workspace: Workspace,
) -> None:
    message = ask(workspace, MEALS)
    assert "45 EUR" in message["text"]
    assert "[1]" in message["text"]
    assert "Expenses" in visible(message)
    below = [block["type"] for block in message["blocks"] if block["type"] != "task_card"]
    assert below == ["markdown", "context", "context_actions", "actions", "context"]


@pytest.mark.usefixtures("bot")
def test_a_direct_message_is_answered_without_a_mention(workspace: Workspace) -> None:
    assert "45 EUR" in ask(workspace, MEALS, channel="D0BOB", person=BOB)["text"]


@pytest.mark.usefixtures("bot")
def test_a_question_inside_a_thread_is_answered_there(workspace: Workspace) -> None:
    root = workspace.post(ALICE, HELP, "Planning my trip to Porto.")
    workspace.post(BOB, HELP, f"{BOT} {MEALS}", thread_ts=root)
    assert "45 EUR" in answer_to(workspace, HELP, root)["text"]


@pytest.mark.usefixtures("bot")
def test_the_same_event_three_times_gives_one_answer(workspace: Workspace) -> None:
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    for event_id in workspace.event_ids(ts):
        workspace.deliver_again(event_id)
        workspace.deliver_again(event_id)
    answer_to(workspace, HELP, ts)
    for event_id in workspace.event_ids(ts):
        workspace.deliver_again(event_id)
    workspace.wait_for(lambda: all(map(workspace.acknowledged, workspace.event_ids(ts))))
    assert "45 EUR" in ask(workspace, MEALS)["text"]  # whatever was queued before this is done
    assert len(replies(workspace, HELP, ts)) == 1


def test_a_question_asked_while_the_bot_was_away_is_answered_when_it_returns(
    workspace: Workspace, start_bot: StartBot
) -> None:
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    with start_bot():
        assert "45 EUR" in answer_to(workspace, HELP, ts)["text"]


@pytest.mark.usefixtures("bot")
def test_what_the_handbook_does_not_say_is_not_invented(workspace: Workspace) -> None:
    message = ask(workspace, "What is the melting point of tungsten?")
    assert "could not find" in message["text"]
    assert "[1]" not in visible(message)
    assert "nearest documents" in visible(message)


@pytest.mark.usefixtures("bot")
def test_a_private_page_speaks_only_where_all_readers_may_read_it(workspace: Workspace) -> None:
    secrets = ("Bittern", "acquisition")
    public = ask(workspace, SECRET)
    outsider = ask(workspace, SECRET, channel="D0BOB", person=BOB)
    for message in (public, outsider):
        assert not any(secret in visible(message) for secret in secrets)
    assert "Bittern" in visible(ask(workspace, SECRET, channel=LEADERS))
    assert "Bittern" in visible(ask(workspace, SECRET, channel="D0ALICE"))


@pytest.mark.usefixtures("bot")
def test_a_guest_is_told_that_guests_are_not_answered(workspace: Workspace) -> None:
    message = ask(workspace, MEALS, person=GUEST)
    assert "not guests" in message["text"]
    assert "45 EUR" not in visible(message)


@pytest.mark.usefixtures("bot")
def test_a_greeting_is_greeted(workspace: Workspace) -> None:
    assert ask(workspace, "hello there!")["text"].startswith("Hello!")


@pytest.mark.usefixtures("bot")
def test_talk_that_is_not_for_the_bot_is_left_alone(workspace: Workspace) -> None:
    ts = workspace.post(ALICE, HELP, MEALS)
    ask(workspace, "hello")
    assert replies(workspace, HELP, ts) == []


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("chat.startStream", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("chat.startStream", {"error": "internal_error"}),
        ("chat.startStream", {"status": 0, "carried_out": True}),
        ("chat.appendStream", {"status": 500}),
        ("chat.stopStream", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("chat.stopStream", {"status": 0, "carried_out": True}),
        ("chat.stopStream", {"error": "invalid_blocks"}),
        ("users.info", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("assistant.threads.setStatus", {"error": "not_allowed_token_type"}),
    ],
)
def test_a_hiccup_of_slack_delays_the_answer_but_does_not_lose_it(
    workspace: Workspace, method: str, fault: dict[str, object]
) -> None:
    workspace.faults.add(method, times=1, **fault)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    assert "45 EUR" in visible(answer_to(workspace, HELP, ts))
    assert len(replies(workspace, HELP, ts)) == 1


@pytest.mark.usefixtures("bot")
def test_where_slack_cannot_say_who_asks_nothing_is_answered(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """People read a sentence of their language and a reference; the reason is in the log."""
    workspace.faults.add("users.info", error="user_not_found", times=10)
    for question, said, kind in (
        (MEALS, "I could not answer.", "Reference"),
        ("Wie viel darf ich unterwegs für Essen ausgeben?", "Ich konnte nicht", "Kennung"),
    ):
        message = ask(workspace, question)
        assert "45 EUR" not in visible(message)
        assert said in message["text"]
        assert f"{kind} {HELP}:{message['thread_ts']}" in message["text"]
        assert "user_not_found" not in visible(message)
        (logged,) = [one for one in caplog.messages if message["thread_ts"] in one]
        assert "user_not_found" in logged


@pytest.mark.usefixtures("writing_bot")
def test_with_a_model_the_answer_is_written_and_cited(workspace: Workspace) -> None:
    """The tiny model repeats its prompt: every sentence kept must be one of the passages'."""
    message = ask(workspace, MEALS)
    assert "[1]" in message["text"]
    assert "Written by a language model" in visible(message)


@pytest.mark.usefixtures("bot")
def test_a_follow_up_is_understood_from_its_thread(workspace: Workspace) -> None:
    first = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    answer_to(workspace, HELP, first)
    follow_up = workspace.post(ALICE, HELP, f"{BOT} and at home?", thread_ts=first)

    def second_answer() -> list[Message]:
        return [one for one in replies(workspace, HELP, first) if "30 EUR" in str(one["text"])]

    assert workspace.wait_for(second_answer)
    assert follow_up > first
