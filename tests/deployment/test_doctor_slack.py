"""What `lorebot doctor` says of Slack, and as a command: planted for real, like the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.errors import BotSettingsError
from bot.domain.settings import Settings
from bot.operations.doctor.examination import examine
from bot.operations.doctor.slack import of_answer
from bot.slack.connection.manifest import SCOPES, manifest
from bot.workspace import Workspace
from tests.deployment.examined import (
    Tables,
    one_wrong,
    settings,
    sound,
    with_source,
    workspace,
)

__all__ = ["sound", "workspace"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"bot_token": ""}, "No Slack token: set LOREBOT_SLACK_BOT_TOKEN"),
        ({"bot_token": "xoxb-other"}, "refuses the bot token"),
        ({"app_token": "xapp-other"}, "refuses the app token"),
        ({"bot_token": "xapp-1"}, "does not begin with xoxb-"),
        ({"mode": "http", "app_token": ""}, "LOREBOT_SLACK_SIGNING_SECRET"),
        ({"admins": ["U0NOBODY"]}, "U0NOBODY"),
        ({"admins": ["U0CARLA"]}, "U0CARLA may never be one (is_restricted)"),
        ({"digest_channel": "C0NOWHERE"}, "C0NOWHERE"),
        ({"api_url": "http://127.0.0.1:9/api/"}, "Slack cannot be reached"),
    ],
)
def test_what_slack_does_not_take_is_named(sound: Tables, keys: Tables, said: str) -> None:
    assert said in one_wrong(settings(sound, slack=keys), "slack").said


def test_missing_scopes_are_named(sound: Tables) -> None:
    without = manifest()
    without["oauth_config"]["scopes"]["bot"].remove("users:read")
    without["oauth_config"]["scopes"]["bot"].remove("groups:history")
    with Workspace(manifest=without) as poorer:
        keys = {"api_url": poorer.api_url, "admins": [], "digest_channel": ""}
        found = one_wrong(settings(sound, slack=keys), "slack")
    assert "lacks the scopes groups:history, users:read" in found.said
    assert "lorebot manifest" in found.mend


def test_a_channel_without_the_bot_is_named(sound: Tables, workspace: Workspace) -> None:
    chat = {"kind": "slack", "name": "chat", "channels": ["C0NOWHERE"], "token": "xoxb-1"}
    given = Settings(**(sound | {"sources": [chat]}))
    found = one_wrong(given, "slack")
    assert "C0NOWHERE" in found.said
    assert "/invite" in found.mend


def test_an_audience_that_is_no_channel_is_named(sound: Tables) -> None:
    found = one_wrong(with_source(sound, audience="slack_channel:C0TYPO"), "slack")
    assert "C0TYPO" in found.said


def test_a_wrong_clock_is_named() -> None:
    now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    headers = {"Date": "Fri, 01 May 2026 11:00:00 GMT", "X-OAuth-Scopes": ",".join(SCOPES)}
    (found,) = (finding for finding in of_answer(headers, now) if not finding.ok)
    assert found.check == "clock"
    assert "3600 seconds apart" in found.said


# The command


def doctor(
    folder: Path, *arguments: str, text: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    (folder / "lorebot.toml").write_text(text)
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-m", "bot.cli.main", "doctor", *arguments],
        cwd=folder,
        env=os.environ | root | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    examined = doctor(tmp_path, "--json", text="[slack]\nbot_tokn = 'x'\n")
    assert examined.returncode == 1
    (found,) = json.loads(examined.stdout)
    assert found["check"] == "settings"
    assert "slack.bot_tokn" in found["said"]
    assert "lorebot.toml" in found["mend"]


def test_a_misspelt_variable_and_a_missing_secret_file_are_named(tmp_path: Path) -> None:
    unknown = doctor(tmp_path, LOREBOT_SLACK_TOKEN="xoxb-1")
    assert unknown.returncode == 1
    assert "LOREBOT_SLACK_TOKEN" in unknown.stdout
    missing = doctor(tmp_path, LOREBOT_SLACK_BOT_TOKEN_FILE="/nowhere")
    assert missing.returncode == 1
    assert "'/nowhere'" in missing.stdout


def test_some_checks_alone_end_well(tmp_path: Path, cache_dir: Path) -> None:
    examined = doctor(tmp_path, "--only", "folders", LOREBOT_CACHE_DIR=str(cache_dir))
    assert examined.returncode == 0
    assert examined.stdout.startswith("✓ folders")


def test_a_check_that_does_not_exist_is_an_error(sound: Tables) -> None:
    with pytest.raises(BotSettingsError, match="There is no check teeth"):
        list(examine(settings(sound), ["teeth"]))
