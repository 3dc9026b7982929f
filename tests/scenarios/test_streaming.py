"""An answer while it is written: a native stream, and what takes its place where there is none."""

import threading

import pytest
from slack_sdk import WebClient

from bot.domain.values import Answer, Asked, Ending, Question, Stage, Versions
from bot.records.answers import Answers
from bot.records.channels import Channels, People
from bot.records.database import Database
from bot.slack.connection.rate_limits import RateLimits
from bot.slack.rendering import messages
from bot.slack.rendering.messages import SlackMessage
from bot.slack.rendering.phrases import Phrasebook, phrases_in
from bot.slack.replies.reply import Reply
from bot.slack.replies.status import StatusLines
from bot.workspace import Workspace
from indexer.documents import Audience
from tests.scenarios.conftest import ALICE, BOT, HELP, answer_to, ask, finished, replies

MEALS = "How much may I spend on meals per day when I travel?"
RATE_LIMITED = {"status": 429, "headers": {"Retry-After": "1"}}
BODY = "Meals: 45 EUR. [1] Hotels: 120 EUR. [2]"
WHOLE = SlackMessage(BODY, BODY, [{"type": "divider"}])


def calls(workspace: Workspace) -> list[str]:
    """The methods that put something before people's eyes."""
    return [one.method for one in workspace.calls if one.method.startswith("chat.")]


@pytest.mark.usefixtures("bot")
def test_the_first_sign_is_a_status_then_tasks_with_sources_then_the_answer(
    workspace: Workspace,
) -> None:
    message = ask(workspace, MEALS)
    methods = [one.method for one in workspace.calls]
    assert methods.index("assistant.threads.setStatus") < methods.index("users.info")
    assert calls(workspace)[0] == "chat.startStream"
    assert calls(workspace)[-1] == "chat.stopStream"
    tasks = [block for block in message["blocks"] if block["type"] == "task_card"]
    assert [task["status"] for task in tasks] == ["complete"] * len(tasks)
    assert "Reading" in tasks[1]["title"]
    workspace.wait_for(lambda: workspace.status(HELP, message["thread_ts"]) == "")


@pytest.mark.usefixtures("writing_bot")
def test_what_a_model_writes_is_streamed(workspace: Workspace) -> None:
    message = ask(workspace, MEALS)
    assert message["streaming_state"] == "completed"
    assert any("Writing" in str(block.get("title")) for block in message["blocks"])


@pytest.mark.usefixtures("bot")
def test_without_a_stream_a_placeholder_is_updated(workspace: Workspace) -> None:
    workspace.faults.add("chat.startStream", error="method_not_supported_for_channel_type")
    assert "45 EUR" in ask(workspace, MEALS)["text"]
    assert calls(workspace) == ["chat.startStream", "chat.postMessage", "chat.update"]


class Desk:
    """A reply as the job has it, over the real Web API, without a pipeline behind it."""

    def __init__(self, workspace: Workspace, database: Database) -> None:
        self.workspace = workspace
        self.client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        self.answers = Answers(database)
        self.phrasebook = Phrasebook(Channels(database), People(database))
        self.status = StatusLines(self.client, self.phrasebook)
        self.limits = RateLimits()
        self.stopped = threading.Event()

    def reply(self) -> Reply:
        return self.again(self.asked())

    def asked(self) -> Asked:
        ts = self.workspace.post(ALICE, HELP, f"{BOT} how much?")
        asked = Asked(f"{HELP}:{ts}", "Ev1", HELP, ts, ALICE, "how much?", team="T0LOCAL")
        self.answers.ask(asked)
        return asked

    def again(self, asked: Asked) -> Reply:
        return Reply(
            self.client,
            self.answers,
            self.status,
            self.limits,
            asked,
            phrases_in(),
            self.stopped.set,
        )

    def thread(self) -> list[dict[str, object]]:
        return [one for one in self.workspace.messages(HELP) if one.get("bot_id")]


@pytest.fixture
def desk(workspace: Workspace, database: Database) -> Desk:
    return Desk(workspace, database)


def shown(message: dict[str, object]) -> str:
    blocks: list[dict[str, str]] = message["blocks"]  # type: ignore[assignment]
    return "".join(block["text"] for block in blocks if block["type"] == "markdown")


def test_text_grows_and_is_never_doubled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.slack.replies.stream._SECONDS_BETWEEN", 0.0)
    reply = desk.reply()
    reply.ts = reply.begin()
    reply.progress(Stage.WRITE, ())
    reply.show("Meals: 45 EUR. [1]")
    assert shown(desk.thread()[0]) == "Meals: 45 EUR. [1]"
    reply.complete(WHOLE)
    assert shown(desk.thread()[0]) == WHOLE.body
    reply.complete(WHOLE)  # a step may be repeated
    (message,) = desk.thread()
    assert shown(message) == WHOLE.body
    assert finished(message)


def test_an_append_whose_answer_is_lost_does_not_double_the_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.replies.stream._SECONDS_BETWEEN", 0.0)
    reply = desk.reply()
    reply.ts = reply.begin()
    desk.workspace.faults.add("chat.appendStream", status=0, carried_out=True)
    reply.show("Meals: 45 EUR. [1]")
    reply.complete(WHOLE)
    (message,) = desk.thread()
    assert shown(message) == WHOLE.body


def test_a_text_that_is_taken_back_is_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.slack.replies.stream._SECONDS_BETWEEN", 0.0)
    reply = desk.reply()
    reply.ts = reply.begin()
    reply.show("Something that turns out useless. [1]")
    reply.complete(WHOLE)
    (message,) = desk.thread()
    assert shown(message) == WHOLE.body


def test_a_rate_limited_append_is_made_up_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.slack.replies.stream._SECONDS_BETWEEN", 0.0)
    reply = desk.reply()
    reply.ts = reply.begin()
    desk.workspace.faults.add("chat.appendStream", **RATE_LIMITED)
    reply.show("Meals: 45 EUR. [1]")
    reply.complete(WHOLE)
    (message,) = desk.thread()
    assert shown(message) == WHOLE.body
    assert message["streaming_state"] == "completed"


def test_an_expired_stream_goes_on_by_updates(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.replies.stream._SECONDS_BETWEEN", 0.0)
    with Workspace(stream_lifetime=0.0) as workspace:
        desk = Desk(workspace, database)
        reply = desk.reply()
        reply.ts = reply.begin()
        reply.show("Meals: 45 EUR. [1]")
        reply.show("Meals: 45 EUR. [1] Hotels")
        assert shown(desk.thread()[0]) == "Meals: 45 EUR. [1] Hotels"
        reply.complete(WHOLE)
        (message,) = desk.thread()
        assert shown(message) == WHOLE.body


def test_the_answer_of_whoever_took_over_is_not_drafted_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process was held for dead while it wrote, and does not know."""
    monkeypatch.setattr("bot.slack.replies.stream._SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr("bot.slack.replies.reply._SECONDS_BETWEEN_DRAFTS", 0.0)
    asked = desk.asked()
    slow, other = desk.again(asked), desk.again(asked)
    slow.ts = slow.begin()
    slow.show("Meals:")
    other.ts = other.begin()
    question = Question(asked.id, asked.text, Audience.of("public"))
    desk.answers.save(Answer(question, BODY, Ending.QUOTED, Versions("", "", "")))
    other.complete(WHOLE)
    looks: list[str] = []
    monkeypatch.setattr(desk.answers, "find", lambda question_id: looks.append(question_id) or "a")
    for text in ("Meals: 45", "Meals: 45 EUR", "Meals: 45 EUR. [1]"):
        slow.show(text)
    assert looks == [asked.id]  # not at every word
    (message,) = desk.thread()
    assert shown(message) == WHOLE.body


def test_when_slack_has_no_patience_left_there_is_a_status_and_one_message(desk: Desk) -> None:
    desk.limits.starts.pause(60)
    desk.limits.updates.pause(60)
    reply = desk.reply()
    assert reply.begin() == ""
    assert desk.thread() == []
    reply.complete(WHOLE)
    assert calls(desk.workspace) == ["chat.postMessage"]


def test_one_message_whose_answer_is_lost_is_not_posted_again(desk: Desk) -> None:
    desk.limits.starts.pause(60)
    desk.limits.updates.pause(60)
    reply = desk.reply()
    reply.begin()
    desk.workspace.faults.add("chat.postMessage", status=0, carried_out=True)
    with pytest.raises(Exception, match="could not be reached"):
        reply.complete(WHOLE)
    reply.complete(WHOLE)
    assert len(desk.thread()) == 1


def test_an_enormous_answer_is_cut_and_says_so(workspace: Workspace) -> None:
    text = "```\n" + "row of a table\n" * 2_000 + "```"
    question = Question("q", "?", Audience.of("public"))
    rendered = messages.answered("a", Answer(question, text, Ending.QUOTED, Versions("", "", "")))
    ts = workspace.post(ALICE, HELP, "how?")
    client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
    client.chat_postMessage(channel=HELP, thread_ts=ts, text=rendered.text, blocks=rendered.blocks)
    (message,) = replies(workspace, HELP, ts)
    assert "too long" in shown(message)
    assert shown(message).count("```") == 2


@pytest.mark.usefixtures("bot")
def test_a_deleted_reply_is_posted_anew(workspace: Workspace) -> None:
    workspace.faults.add("chat.startStream", error="unknown_method")
    workspace.faults.add("chat.update", error="message_not_found")
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    assert "45 EUR" in answer_to(workspace, HELP, ts)["text"]
