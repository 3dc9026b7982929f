"""The real bot in the local workspace, over the sample handbook: every scenario runs twice, with
events over Socket Mode and over HTTP; on SQLite, or on Postgres where one is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.bootstrap.demo import demo_settings
from bot.bootstrap.wiring import open_slack_bot
from bot.domain.settings import ModelTable, RecordsTable, Settings, SlackTable
from bot.domain.thresholds import Thresholds
from bot.slack.connection.manifest import manifest
from bot.slack.connection.transport import EVENTS_PATH, HttpTransport
from bot.workspace import Workspace
from indexer.index import Index, open_index

Message = dict[str, Any]
StartBot = Callable[[], AbstractContextManager[None]]

BOT = "<@U0LOREBOT>"
ALICE, BOB, GUEST = "U0ALICE", "U0BOB", "U0CARLA"
HELP, LEADERS = "C0HELP", "C0LEADS"


@pytest.fixture(scope="session")
def handbook(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The sample handbook, indexed once for all scenarios, which only read it."""
    settings = Settings(cache_dir=cache_dir, data_dir=tmp_path_factory.mktemp("handbook"))
    with open_index(demo_settings(settings)) as index:
        index.sync()
        yield index


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(manifest=manifest(), redelivery_delays=(1.0, 1.0, 1.0)) as workspace:
        yield workspace


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    """How events reach the bot."""
    return str(request.param)


@pytest.fixture
def installed(cache_dir: Path, tmp_path: Path, empty_postgres: str) -> Settings:
    """All but Slack: where things are kept."""
    records = RecordsTable(url=SecretStr(empty_postgres))
    return Settings(cache_dir=cache_dir, data_dir=tmp_path / "data", records=records)


@pytest.fixture
def settings(workspace: Workspace, installed: Settings, transport: str) -> Settings:
    slack = slack_over_http(workspace) if transport == "http" else slack_over_a_socket(workspace)
    return installed.model_copy(update={"slack": slack})


def slack_over_a_socket(workspace: Workspace) -> SlackTable:
    return SlackTable(
        bot_token=SecretStr(workspace.bot_token),
        app_token=SecretStr(workspace.app_token),
        api_url=workspace.api_url,
    )


def slack_over_http(workspace: Workspace) -> SlackTable:
    return SlackTable(
        mode="http",
        listen="127.0.0.1:0",
        bot_token=SecretStr(workspace.bot_token),
        signing_secret=SecretStr(workspace.signing_secret),
        api_url=workspace.api_url,
    )


@pytest.fixture
def start_bot(settings: Settings, workspace: Workspace, handbook: Index) -> StartBot:
    @contextmanager
    def start() -> Iterator[None]:
        with connected(settings, handbook, workspace):
            yield

    return start


@pytest.fixture
def bot(start_bot: StartBot) -> Iterator[None]:
    with start_bot():
        yield


@pytest.fixture
def writing_bot(
    settings: Settings, workspace: Workspace, handbook: Index, tiny_model: Path
) -> Iterator[None]:
    """The bot with a language model of its own, served by llama.cpp.

    The model can only repeat its last instruction, so nothing that it says is judged.
    """
    table = ModelTable(path=tiny_model, context_tokens=2048, answer_tokens=200)
    lenient = Thresholds(relevant=0, supported=0, words=0, useful=0, conflicting=1)
    changes = {"model": table, "thresholds": lenient}
    with connected(settings.model_copy(update=changes), handbook, workspace):
        yield


@contextmanager
def connected(settings: Settings, index: Index, workspace: Workspace) -> Iterator[None]:
    """The bot, hearing what happens in the workspace."""
    with open_slack_bot(settings, index) as bot:
        if isinstance(bot.transport, HttpTransport):
            workspace.deliver_to(request_url(bot.transport))
        workspace.wait_for(lambda: workspace.bot_connected)
        yield


def request_url(transport: HttpTransport) -> str:
    return f"http://127.0.0.1:{transport.port}{EVENTS_PATH}"


def replies(workspace: Workspace, channel: str, ts: str) -> list[Message]:
    """What the bot has said under a message, ephemeral notes left out."""
    return [
        message
        for message in workspace.messages(channel, thread_ts=ts)
        if message.get("bot_id") and message["ts"] != ts and not message.get("ephemeral_to")
    ]


def finished(message: Message) -> bool:
    """Whether a reply is more than a placeholder, a draft or an open stream."""
    if message.get("streaming_state") == "in_progress":
        return False
    text = str(message["text"])
    return bool(text) and not (
        "Looking through" in text or ":writing_hand:" in str(message.get("blocks"))
    )


def answer_to(workspace: Workspace, channel: str, ts: str, timeout: float = 30) -> Message:
    """The one finished reply to a message; fails where there are two."""

    def done() -> list[Message]:
        return [message for message in replies(workspace, channel, ts) if finished(message)]

    (message,) = workspace.wait_for(done, timeout=timeout)
    return message


def ask(workspace: Workspace, question: str, channel: str = HELP, person: str = ALICE) -> Message:
    """Ask as a person would, by mention in a channel or plainly in a direct message."""
    text = question if channel.startswith("D") else f"{BOT} {question}"
    return answer_to(workspace, channel, workspace.post(person, channel, text))


def private_notes(workspace: Workspace, person: str, channel: str = HELP) -> list[Message]:
    """What only this person sees in a channel."""
    return [one for one in workspace.messages(channel) if one.get("ephemeral_to") == person]


def lorebot(
    workspace: Workspace, text: str, person: str = ALICE, channel: str = HELP, timeout: float = 20
) -> Message:
    """Type `/lorebot text` and return the note that answers it."""
    before = {one["ts"] for one in private_notes(workspace, person, channel)}
    workspace.command(person, channel, "/lorebot", text)

    def answered() -> list[Message]:
        notes = private_notes(workspace, person, channel)
        return [one for one in notes if one["ts"] not in before]

    (note,) = workspace.wait_for(answered, timeout=timeout)
    return note


def vote(workspace: Workspace, person: str, message: Message, thumb: str) -> None:
    """Press a thumb under an answer in the help channel."""
    actions = next(block for block in message["blocks"] if block["type"] == "context_actions")
    values = (
        actions["elements"][0][f"{kind}_button"]["value"] for kind in ("positive", "negative")
    )
    value = next(value for value in values if value.startswith(thumb))
    workspace.click(person, HELP, message["ts"], "feedback", value)


def shown(message: Message | None) -> str:
    """Everything of a message or view that anybody could see, as JSON."""
    found = message or {}
    return json.dumps([found.get("text"), found.get("blocks")], ensure_ascii=False)
