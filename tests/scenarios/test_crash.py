"""kill -9 between placeholder and answer: the real process, the real signal."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.bootstrap.demo import SAMPLE
from bot.domain.settings import Settings
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOT, HELP, Message, answer_to, replies
from tests.services.bot_process import bot_environment
from tests.services.databases import execute

MEALS = "How much may I spend on meals per day when I travel?"


@pytest.fixture
def environment(workspace: Workspace, installed: Settings, tmp_path: Path) -> dict[str, str]:
    return bot_environment(workspace, tmp_path, SAMPLE) | {
        "LOREBOT_CACHE_DIR": str(installed.cache_dir),
        "LOREBOT_DATA_DIR": str(installed.data_dir),
        "LOREBOT_RECORDS_URL": installed.records.address,
    }


@contextmanager
def running(
    environment: dict[str, str], workspace: Workspace, program: str = ""
) -> "Iterator[subprocess.Popen[bytes]]":
    """The bot, or a ``program`` that runs it, once it is connected."""
    command = [sys.executable, *([program] if program else ["-m", "bot.cli.main"]), "run"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            workspace.wait_for(lambda: workspace.bot_connected, timeout=90)
            yield process
        finally:
            process.kill()


def killed_between_placeholder_and_answer(
    bot: "subprocess.Popen[bytes]", workspace: Workspace
) -> tuple[str, Message]:
    """The question's timestamp and the placeholder that the killed bot left behind."""
    # Slack makes the bot wait before it may learn who asks: time enough to kill it.
    workspace.faults.add("users.info", status=429, headers={"Retry-After": "30"})
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    (placeholder,) = workspace.wait_for(lambda: replies(workspace, HELP, ts), timeout=30)
    assert "45 EUR" not in placeholder["text"]
    # Only when the bot asks who is asking has it kept the receipt of its placeholder.
    workspace.wait_for(lambda: any(call.method == "users.info" for call in workspace.calls))
    bot.send_signal(signal.SIGKILL)
    workspace.wait_for(lambda: not workspace.bot_connected)
    workspace.faults.clear()
    return ts, placeholder


def test_a_bot_killed_after_its_placeholder_answers_in_the_same_message(
    workspace: Workspace, environment: dict[str, str]
) -> None:
    with running(environment, workspace) as doomed:
        ts, placeholder = killed_between_placeholder_and_answer(doomed, workspace)
    with running(environment, workspace):
        answer = answer_to(workspace, HELP, ts, timeout=60)
        assert answer["ts"] == placeholder["ts"]
        assert "45 EUR" in answer["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def test_a_bot_killed_before_it_remembers_its_placeholder_finds_it_again(
    workspace: Workspace, environment: dict[str, str], installed: Settings
) -> None:
    """Posted, but the process died before Slack's receipt was kept: found by its metadata."""
    with running(environment, workspace) as doomed:
        ts, placeholder = killed_between_placeholder_and_answer(doomed, workspace)
    _forget_the_receipt(installed)
    with running(environment, workspace):
        answer = answer_to(workspace, HELP, ts, timeout=60)
        assert answer["ts"] == placeholder["ts"]
        assert len(replies(workspace, HELP, ts)) == 1


def _forget_the_receipt(installed: Settings) -> None:
    """Bring both databases to the moment between Slack's "ok" and our note of it."""
    assert execute(installed.records_url, "UPDATE questions SET reply_ts = NULL")
    assert execute(installed.jobs_url, "DELETE FROM {jobs}operation_outputs")


def test_a_stopped_bot_ends_by_itself(workspace: Workspace, environment: dict[str, str]) -> None:
    with running(environment, workspace) as bot:
        bot.send_signal(signal.SIGTERM)
        assert bot.wait(timeout=30) == 0
