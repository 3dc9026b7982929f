"""The questions' scenarios once more over HTTP: signed requests into the same listeners."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from pydantic import SecretStr

from bot.bootstrap import open_slack_bot
from bot.settings import Settings
from bot.slack.transport import EVENTS_PATH, HttpTransport
from bot.workspace import Workspace, WorkspaceError
from indexer.library import Library
from tests.scenarios.conftest import (
    ALICE,
    BOT,
    HELP,
    StartBot,
    answer_to,
    ask,
    lorebot,
    replies,
    shown,
)
from tests.scenarios.test_crash import environment
from tests.scenarios.test_questions import (  # noqa: F401 - run once more, over HTTP
    test_a_direct_message_is_answered_without_a_mention,
    test_a_greeting_is_greeted,
    test_a_guest_is_told_that_guests_are_not_answered,
    test_a_mention_is_answered_in_its_thread_with_sources_and_buttons,
    test_a_private_page_speaks_only_where_all_readers_may_read_it,
    test_a_question_asked_while_the_bot_was_away_is_answered_when_it_returns,
    test_a_question_inside_a_thread_is_answered_there,
    test_the_same_event_three_times_gives_one_answer,
    test_what_the_handbook_does_not_say_is_not_invented,
)

__all__ = ["environment"]

MEALS = "How much may I spend on meals per day when I travel?"


@pytest.fixture
def http_settings(settings: Settings, workspace: Workspace) -> Settings:
    slack = settings.slack.model_copy(
        update={
            "mode": "http",
            "listen": "127.0.0.1:0",
            "signing_secret": SecretStr(workspace.signing_secret),
            "app_token": SecretStr(""),
        }
    )
    return settings.model_copy(update={"slack": slack})


@contextmanager
def listening(settings: Settings, library: Library) -> Iterator[str]:
    """The bot behind its request URL."""
    with open_slack_bot(settings, library) as bot:
        assert isinstance(bot.transport, HttpTransport)
        yield f"http://127.0.0.1:{bot.transport.port}{EVENTS_PATH}"


@pytest.fixture
def start_bot(http_settings: Settings, workspace: Workspace, handbook: Library) -> StartBot:
    @contextmanager
    def start() -> Iterator[None]:
        with listening(http_settings, handbook) as url:
            workspace.deliver_to(url)
            yield

    return start


def test_a_request_with_another_signature_is_refused(
    http_settings: Settings, workspace: Workspace, handbook: Library
) -> None:
    slack = http_settings.slack.model_copy(update={"signing_secret": SecretStr("another")})
    settings = http_settings.model_copy(update={"slack": slack})
    with (
        listening(settings, handbook) as url,
        pytest.raises(WorkspaceError, match="challenge: http_error"),
    ):
        workspace.deliver_to(url)


def test_what_is_not_slack_is_turned_away(http_settings: Settings, handbook: Library) -> None:
    with listening(http_settings, handbook) as url:
        assert httpx.get(url).status_code == 404
        assert httpx.post(url, content=b"{}").status_code == 401
        assert httpx.post(url, content=b"x" * 4_000_001).status_code == 413
        chunks = httpx.post(url, content=iter([b"x", b"y"]))
        assert chunks.status_code == 413


@pytest.mark.usefixtures("bot")
def test_commands_and_votes_come_over_http_too(workspace: Workspace) -> None:
    assert "Status" in shown(lorebot(workspace, "status"))
    workspace.open_home(ALICE)
    assert "For admins" in shown(workspace.wait_for(lambda: workspace.home(ALICE)))
    assert "45 EUR" in ask(workspace, MEALS, channel=HELP)["text"]


@contextmanager
def replica(
    environment: dict[str, str], name: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A process of its own behind a request URL of its own, on the records that all share."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "bot.cli", "run", "--http", address]
    own = environment | {"LOREBOT_RECORDS_REPLICA": name}
    with subprocess.Popen(command, env=own) as process:
        try:
            yield f"http://{address}{EVENTS_PATH}", process
        finally:
            process.kill()


def listens(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url).status_code == 404
    return False


def test_two_replicas_answer_each_question_once_also_when_one_is_gone(
    workspace: Workspace, environment: dict[str, str]
) -> None:
    secret = {"LOREBOT_SLACK_SIGNING_SECRET": workspace.signing_secret}
    environment = environment | secret
    with replica(environment, "one") as (first, _):
        workspace.wait_for(lambda: listens(first), timeout=90)
        with replica(environment, "two") as (second, doomed):
            workspace.wait_for(lambda: listens(second), timeout=90)
            workspace.deliver_to(first, second)
            workspace.deliver_twice(1.0)  # the same event reaches both
            asked = [workspace.post(ALICE, HELP, f"{BOT} {MEALS}") for _ in range(4)]
            for ts in asked:
                assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=60)["text"]
            doomed.kill()
            doomed.wait()
        assert "45 EUR" in ask(workspace, MEALS)["text"]
    assert all(len(replies(workspace, HELP, ts)) == 1 for ts in asked)
