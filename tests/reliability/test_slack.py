"""Slack that takes no message for a while, under the running bot."""

from __future__ import annotations

import time

from bot.workspace import SERVER_ERROR, Workspace
from tests.reliability.conftest import posted
from tests.scenarios.conftest import HELP, answer_to, replies
from tests.scenarios.test_crash import running

POSTING = ("chat.startStream", "chat.postMessage", "assistant.threads.setStatus")


def test_question_asked_while_slack_takes_no_message_is_answered_afterwards(
    workspace: Workspace, environment: dict[str, str]
) -> None:
    """For longer than one call is tried, and longer than a handful of tries of a step."""
    with running(environment, workspace):
        workspace.faults.sometimes(1.0, [SERVER_ERROR], methods=POSTING)
        ts = posted(workspace)
        time.sleep(30)
        assert replies(workspace, HELP, ts) == []
        workspace.faults.clear()
        assert "45 EUR" in answer_to(workspace, HELP, ts, timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1
