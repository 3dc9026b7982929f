"""The stop button ends the work, and the answer says so."""

import pytest

from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOB, BOT, HELP, answer_to, replies

MEALS = "How much may I spend on meals per day when I travel?"


def waiting_stream(workspace: Workspace) -> tuple[str, str]:
    """A question whose answer waits for Slack, and the message that streams it."""
    workspace.faults.add("users.info", delay=2.0)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    (stream,) = workspace.wait_for(lambda: replies(workspace, HELP, ts))
    workspace.wait_for(lambda: any(call.method == "users.info" for call in workspace.calls))
    return ts, str(stream["ts"])


@pytest.mark.usefixtures("bot")
def test_a_stopped_answer_says_so_and_is_not_given(workspace: Workspace) -> None:
    ts, stream = waiting_stream(workspace)
    workspace.stop_stream(ALICE, HELP, stream)
    message = answer_to(workspace, HELP, ts)
    assert message["text"] == "Stopped."
    assert "45 EUR" not in str(message["blocks"])
    workspace.wait_for(lambda: workspace.status(HELP, ts) == "")


@pytest.mark.usefixtures("bot")
def test_somebody_elses_stop_button_stops_nothing(workspace: Workspace) -> None:
    workspace.faults.add("chat.startStream", error="unknown_method")
    workspace.faults.add("users.info", delay=1.0)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    workspace.wait_for(lambda: any(call.method == "users.info" for call in workspace.calls))
    workspace.stop_session(BOB, HELP, ts)
    assert "45 EUR" in answer_to(workspace, HELP, ts)["text"]
