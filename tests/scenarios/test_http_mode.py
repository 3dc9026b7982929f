"""What only HTTP has: signatures, foreign requests, several replicas, one of which dies."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from pydantic import SecretStr

from bot.bootstrap.wiring import open_slack_bot
from bot.domain.settings import Settings
from bot.slack.connection.transport import EVENTS_PATH, HttpTransport
from bot.workspace import Workspace, WorkspaceError
from indexer.index import Index
from tests.scenarios.conftest import (
    ALICE,
    BOT,
    HELP,
    answer_to,
    ask,
    replies,
    request_url,
    slack_over_http,
)
from tests.scenarios.test_crash import environment

__all__ = ["environment"]

MEALS = "How much may I spend on meals per day when I travel?"


@pytest.fixture
def settings(workspace: Workspace, installed: Settings) -> Settings:
    return installed.model_copy(update={"slack": slack_over_http(workspace)})


@contextmanager
def listening(settings: Settings, index: Index) -> Iterator[str]:
    """The bot behind its request URL."""
    with open_slack_bot(settings, index) as bot:
        assert isinstance(bot.transport, HttpTransport)
        yield request_url(bot.transport)


def test_a_request_with_another_signature_is_refused(
    settings: Settings, workspace: Workspace, handbook: Index
) -> None:
    slack = settings.slack.model_copy(update={"signing_secret": SecretStr("another")})
    with (
        listening(settings.model_copy(update={"slack": slack}), handbook) as url,
        pytest.raises(WorkspaceError, match="challenge: http_error"),
    ):
        workspace.deliver_to(url)


def test_what_is_not_slack_is_turned_away(settings: Settings, handbook: Index) -> None:
    with listening(settings, handbook) as url:
        assert httpx.get(url).status_code == 404
        assert httpx.post(url, content=b"{}").status_code == 401
        assert httpx.post(url, content=b"x" * 4_000_001).status_code == 413
        chunks = httpx.post(url, content=iter([b"x", b"y"]))
        assert chunks.status_code == 413


@contextmanager
def replica(
    environment: dict[str, str], name: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A process of its own behind a request URL of its own, on the records that all share."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "bot.cli.main", "run", "--http", address]
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
