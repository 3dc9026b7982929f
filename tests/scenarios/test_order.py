"""Of one thread's questions, the next is answered when the one before is: also over a kill -9."""

import signal

import pytest

from bot.domain.errors import RecordsError
from bot.domain.settings import Settings
from bot.domain.values import Asked
from bot.records.answers import Answers
from bot.workspace import Workspace
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    BOT,
    HELP,
    Message,
    answer_to,
    ask,
    finished,
    replies,
)
from tests.scenarios.test_crash import environment, running
from tests.services.databases import execute

__all__ = ["environment"]

MEALS = "How much may I spend on meals per day when I travel?"
LEAVE = "How many days of paid leave do I have?"


def asks_twice(workspace: Workspace) -> str:
    """Two people ask in one thread; who the first is, Slack says only after three seconds."""
    workspace.faults.add("users.info", status=429, headers={"Retry-After": "3"})
    thread = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    wait_for_call(workspace, "users.info")
    workspace.post(BOB, HELP, f"{BOT} {LEAVE}", thread_ts=thread)
    return thread


def wait_for_call(workspace: Workspace, method: str) -> None:
    workspace.wait_for(lambda: any(call.method == method for call in workspace.calls), timeout=60)


def as_the_second_begins(workspace: Workspace, thread: str) -> list[Message]:
    def both() -> list[Message]:
        found = replies(workspace, HELP, thread)
        return found if len(found) > 1 else []

    return workspace.wait_for(both, timeout=60)


@pytest.mark.usefixtures("bot")
def test_the_second_question_of_a_thread_waits_for_the_first(workspace: Workspace) -> None:
    thread = asks_twice(workspace)
    first, _ = as_the_second_begins(workspace, thread)
    assert finished(first)
    assert "45 EUR" in first["text"]
    workspace.wait_for(lambda: all(map(finished, replies(workspace, HELP, thread))))


@pytest.mark.usefixtures("bot")
def test_a_thread_does_not_wait_for_another(workspace: Workspace) -> None:
    workspace.faults.add("users.info", status=429, headers={"Retry-After": "8"})
    slow = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    wait_for_call(workspace, "users.info")
    quick = workspace.post(BOB, HELP, f"{BOT} {LEAVE}")
    answer_to(workspace, HELP, quick)
    assert not any(map(finished, replies(workspace, HELP, slow)))


@pytest.mark.usefixtures("bot")
def test_a_question_that_cannot_be_answered_lets_the_next_one_have_its_turn(
    workspace: Workspace,
) -> None:
    workspace.faults.add("users.info", error="user_not_found")
    thread = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    workspace.post(BOB, HELP, f"{BOT} {LEAVE}", thread_ts=thread)
    first, _ = as_the_second_begins(workspace, thread)
    assert "I could not answer" in first["text"]
    workspace.wait_for(lambda: all(map(finished, replies(workspace, HELP, thread))))


def test_what_is_delivered_together_after_an_absence_is_answered_in_order(
    workspace: Workspace, environment: dict[str, str]
) -> None:
    """Both are waiting when the bot comes; whoever is kept first must not answer first."""
    thread = workspace.post(ALICE, HELP, f"Hello everybody, {MEALS}")
    asked = [
        workspace.post(person, HELP, f"{BOT} {question}", thread_ts=thread)
        for person, question in ((ALICE, MEALS), (BOB, LEAVE), (ALICE, LEAVE), (BOB, MEALS))
    ]
    with running(environment, workspace):
        done = workspace.wait_for(lambda: _all_finished(workspace, thread, 4), timeout=60)
    assert [_question_of(reply) for reply in done] == [f"{HELP}:{ts}" for ts in asked]


def test_the_order_survives_a_kill_and_a_job_that_is_lost(
    workspace: Workspace, environment: dict[str, str], installed: Settings
) -> None:
    """Between keeping a question and beginning its job nothing is lost, nor stands in the way."""
    with running(environment, workspace) as doomed:
        thread = asks_twice(workspace)
        workspace.wait_for(lambda: all(map(workspace.acknowledged, _events(workspace, thread))))
        doomed.send_signal(signal.SIGKILL)
        workspace.wait_for(lambda: not workspace.bot_connected)
    execute(installed.jobs_url, "DELETE FROM {jobs}workflow_status WHERE name = 'answer'")
    with running(environment, workspace):
        first, _ = as_the_second_begins(workspace, thread)
        assert finished(first)
        workspace.wait_for(lambda: _all_finished(workspace, thread, 2), timeout=60)


def _all_finished(workspace: Workspace, thread: str, count: int) -> list[Message]:
    found = [one for one in replies(workspace, HELP, thread) if finished(one)]
    return found if len(found) == count else []


def _question_of(reply: Message) -> str:
    return str(reply["metadata"]["event_payload"]["question"])


def _events(workspace: Workspace, thread: str) -> list[str]:
    return [
        event
        for message in workspace.messages(HELP, thread_ts=thread)
        if not message.get("bot_id")
        for event in workspace.event_ids(message["ts"])
    ]


@pytest.mark.usefixtures("bot")
def test_a_question_that_cannot_be_read_at_once_is_answered_all_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while every connection of the records is in use."""
    reading, failures = Answers.asked, [RecordsError("Busy."), RecordsError("Busy.")]

    def asked(answers: Answers, question_id: str) -> Asked:
        if failures:
            raise failures.pop()
        return reading(answers, question_id)

    monkeypatch.setattr(Answers, "asked", asked)
    assert "45 EUR" in ask(workspace, MEALS)["text"]
    assert failures == []
