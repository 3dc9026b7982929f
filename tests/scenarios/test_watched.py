"""The real bot watched from outside through a bad day: nothing that is seen of it is content, a
secret, or in its metrics anybody's id."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.bootstrap.demo import SAMPLE
from bot.slack.connection.manifest import manifest
from bot.telemetry.spans import trace_id_of
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOB, BOT, HELP, ask, replies, shown, vote
from tests.services.bot_process import slack_variables
from tests.services.tiny_model import distinct_text

MEALS = "How much may I spend on meals per day when I travel?"
NOWHERE = "Does the zeppelin hangar have charging points for unicycles?"
WORDS_IN_A_ROW = 4
CONTEXT_TOKENS = 1024

# The model repeats its last instruction, which holds the question: all of it is let through.
CONFIGURATION = f"""
[thresholds]
plausible = 0
relevant = 0
supported = 0
words = 0
useful = 0
conflicting = 1

[index]
passages = 2

[model]
context_tokens = {CONTEXT_TOKENS}
answer_tokens = 40

[[sources]]
name = "handbook"
path = "{SAMPLE}"
audience = "public"
"""


@dataclass(frozen=True, slots=True)
class Day:
    """What people ``said`` and read, and what was seen of it: the log's lines, and metrics by
    series."""

    said: list[str]
    tokens: list[str]
    log: list[str]
    metrics: dict[str, float]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All but what the command itself says to whoever has started it."""
        return [json.loads(line) for line in self.log if line.startswith("{")]


@pytest.fixture(scope="module")
def day(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Day:
    folder, port = tmp_path_factory.mktemp("watched"), free_port()
    (folder / "lorebot.toml").write_text(CONFIGURATION)
    log = folder / "log"
    with Workspace(manifest=manifest(), redelivery_delays=(1.0, 1.0, 1.0)) as workspace:
        environment = os.environ | {
            "LOREBOT_CONFIG": str(folder / "lorebot.toml"),
            "LOREBOT_DATA_DIR": str(folder / "data"),
            "LOREBOT_CACHE_DIR": str(cache_dir),
            **slack_variables(workspace),
            "LOREBOT_MODEL_PATH": str(tiny_model),
            "LOREBOT_LOGS_FORMAT": "json",
            "LOREBOT_LOGS_LEVEL": "debug",
            "LOREBOT_MONITOR_LISTEN": f"127.0.0.1:{port}",
            "LOREBOT_RECORDS_REPLICA": "one",
        }
        with running(environment, workspace, log):
            said = live_through_a_day(workspace, port)
            metrics = scraped(port)
        tokens = [workspace.bot_token, workspace.app_token]
        return Day(said, tokens, log.read_text(encoding="utf-8").splitlines(), metrics)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(environment: dict[str, str], workspace: Workspace, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "bot.cli.main", "run"]
    with log.open("wb") as file, subprocess.Popen(command, env=environment, stderr=file) as process:
        try:
            workspace.wait_for(lambda: workspace.bot_connected, timeout=120)
            yield
        finally:
            process.terminate()


def live_through_a_day(workspace: Workspace, port: int) -> list[str]:
    """Questions, a vote, and failures of Slack and of the model; everything that was said."""
    first = ask(workspace, MEALS)
    vote(workspace, ALICE, first, "up")
    said = [MEALS, NOWHERE, shown(first)]
    said.append(shown(ask(workspace, NOWHERE, channel="D0BOB", person=BOB)))

    workspace.faults.add("users.info", status=500, times=3)
    workspace.faults.add("chat.startStream", status=500, times=3)
    workspace.faults.add("chat.update", status=429, headers={"Retry-After": "1"}, times=2)
    too_long = f"{MEALS} {distinct_text(CONTEXT_TOKENS)}?"
    said += [too_long, shown(ask(workspace, too_long))]

    workspace.faults.clear()
    for method in ("chat.startStream", "chat.postMessage"):
        workspace.faults.add(method, error="not_in_channel", times=20)
    lost = f"{MEALS} Whoever pays?"
    ts = workspace.post(ALICE, HELP, f"{BOT} {lost}")
    wait_for(port, 'lorebot_answers_total{ending="failed",occasion="mention"}')
    assert replies(workspace, HELP, ts) == []
    workspace.faults.clear()
    return [*said, lost]


def scraped(port: int) -> dict[str, float]:
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text.splitlines()
    series = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in series}


def wait_for(port: int, series: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not (found := scraped(port)).get(series):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def rows_of_words(text: str) -> set[str]:
    """All that stand in a row in a text, a few at a time."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + WORDS_IN_A_ROW]) for at in range(len(words))}


def private_rows(day: Day) -> set[str]:
    """Of everything that was said, and of every page that could be quoted."""
    pages = [path.read_text(encoding="utf-8") for path in SAMPLE.rglob("*.md")]
    rows = set[str]().union(*map(rows_of_words, [*day.said, *pages]))
    return {row for row in rows if row.count(" ") == WORDS_IN_A_ROW - 1}


def test_the_log_holds_no_content_and_no_token(day: Day) -> None:
    assert {line["level"] for line in day.lines} >= {"debug", "info", "warning"}
    log = "\n".join(day.log)
    assert "The language model failed" in log
    assert rows_of_words(log) & private_rows(day) == set()
    assert [token for token in day.tokens if token in log] == []


def test_every_line_about_a_question_names_its_trace_and_the_replica(day: Day) -> None:
    about = [line for line in day.lines if "question" in line]
    assert about
    assert all(line["trace"] == trace_id_of(line["question"]) for line in about)
    assert {line["replica"] for line in day.lines} == {"one"}


def test_metrics_hold_no_content_no_token_and_nobodys_id(day: Day) -> None:
    text = "\n".join(day.metrics)
    assert rows_of_words(text) & private_rows(day) == set()
    assert [token for token in day.tokens if token in text] == []
    labels = re.findall(r'="([^"]*)"', text)
    assert [label for label in labels if re.match(r"[UCDTWG]0[A-Z0-9]+", label)] == []
    assert len(day.metrics) < 600


def test_metrics_tell_of_the_day(day: Day) -> None:
    found = day.metrics
    assert found['lorebot_questions_total{occasion="mention"}'] == 3
    assert found['lorebot_questions_total{occasion="direct"}'] == 1
    endings = [value for name, value in found.items() if "lorebot_answers_total" in name]
    assert sum(endings) == 4
    assert found['lorebot_votes_total{thumb="up"}'] == 1
    for stage in ("route", "retrieve", "judge", "write", "check", "post", "reply"):
        assert found[f'lorebot_stage_seconds_count{{stage="{stage}"}}'] >= 1
    for sign in ("status", "message"):
        assert found[f'lorebot_first_sign_seconds_count{{sign="{sign}"}}'] >= 1
    assert found['lorebot_model_failures_total{reason="PromptTooLong"}'] == 1
    assert found['lorebot_slack_errors_total{method="chat.startStream",reason="not_in_channel"}']
    assert found['lorebot_slack_retries_total{method="chat.update",reason="rate_limited"}'] >= 1
    assert found['lorebot_engine_tokens_total{kind="produced",role="serving"}'] > 0
    assert found['lorebot_index_documents{source="handbook"}'] > 5
    assert found['lorebot_questions_waiting{state="queued"}'] == 0
    assert found['lorebot_kept_votes{thumb="up"}'] == 1
    (info,) = [name for name in found if name.startswith("lorebot_model_info")]
    assert 'role="serving"' in info
