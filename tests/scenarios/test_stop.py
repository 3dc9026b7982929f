"""The stop button ends the work, and the answer says so."""

import signal
import time
from threading import Event
from typing import Any

import pytest

from bot.answering.search import Search
from bot.domain.values import AttachedFile
from bot.slack.replies.attachments import Attachments
from bot.workspace import Workspace
from indexer.documents import Passage
from indexer.extraction import _Worker
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


@pytest.mark.usefixtures("bot")
def test_stop_is_heard_while_slack_is_asked_who_asks(workspace: Workspace) -> None:
    """Long before Slack answers."""
    workspace.faults.add("users.info", delay=20.0)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    (stream,) = workspace.wait_for(lambda: replies(workspace, HELP, ts))
    workspace.wait_for(lambda: any(call.method == "users.info" for call in workspace.calls))
    stopped_soon(workspace, ts, str(stream["ts"]))


@pytest.mark.usefixtures("bot")
def test_stop_is_heard_while_an_attachment_is_fetched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = Event()

    def fetch(_attachments: Attachments, _file: AttachedFile) -> bytes:
        fetching.set()
        time.sleep(20)
        return b""

    monkeypatch.setattr(Attachments, "_fetch", fetch)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}", files=[("a.md", b"# A\n")])
    (stream,) = workspace.wait_for(lambda: replies(workspace, HELP, ts))
    assert fetching.wait(30)
    stopped_soon(workspace, ts, str(stream["ts"]))


@pytest.mark.usefixtures("bot")
def test_stop_is_heard_while_an_attachment_is_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that reads it is ended at once."""
    asked, begun = _Worker.ask, Event()
    killed: list[int] = []

    def ask(worker: _Worker, request: dict[str, Any], content: bytes) -> dict[str, Any]:
        worker._process.send_signal(signal.SIGSTOP)
        begun.set()
        try:
            return asked(worker, request, content)
        finally:
            killed.append(worker._process.wait(5))

    monkeypatch.setattr(_Worker, "ask", ask)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}", files=[("a.md", b"# A\n")])
    (stream,) = workspace.wait_for(lambda: replies(workspace, HELP, ts))
    assert begun.wait(60)
    stopped_soon(workspace, ts, str(stream["ts"]))
    assert killed == [-signal.SIGKILL]


@pytest.mark.usefixtures("bot")
def test_stop_is_heard_while_documents_are_retrieved(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    searching = Event()

    def retrieve(_search: Search, _asked: object) -> list[Passage]:
        searching.set()
        time.sleep(20)
        return []

    monkeypatch.setattr(Search, "_retrieved", retrieve)
    ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
    (stream,) = workspace.wait_for(lambda: replies(workspace, HELP, ts))
    assert searching.wait(30)
    stopped_soon(workspace, ts, str(stream["ts"]))


def stopped_soon(workspace: Workspace, ts: str, stream: str) -> None:
    began = time.monotonic()
    workspace.stop_stream(ALICE, HELP, stream)
    assert answer_to(workspace, HELP, ts)["text"] == "Stopped."
    assert time.monotonic() - began < 5
