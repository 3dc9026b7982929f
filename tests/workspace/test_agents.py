"""What stands around an agent's answer: status, prompts, titles, the stop button, the context."""

from __future__ import annotations

from typing import Any

import pytest
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.workspace import Workspace, sample_workspace
from bot.workspace.state.assistant import STATUS_LIFETIME, Assistant, Status
from bot.workspace.state.changes import Changes
from bot.workspace.state.streams import Streams

from .conftest import Connect


def test_status_that_is_not_set_again_goes() -> None:
    now = [1000.0]
    assistant = Assistant(Changes(), lambda: now[0])
    assistant.set_status(Status("C0HELP", "1.0", "is thinking…"))
    now[0] += STATUS_LIFETIME - 1
    assistant.expire_overdue()
    assert len(assistant.statuses("C0HELP")) == 1
    now[0] += 1
    assistant.expire_overdue()
    assert assistant.statuses("C0HELP") == ()


def test_stop_button_without_a_stream_tells_the_bot_and_leaves_the_status(
    workspace: Workspace, app: App, client: WebClient, connect: Connect
) -> None:
    events: list[dict[str, Any]] = []
    app.event("agent_session_stopped")(lambda event: events.append(event))
    app.event("message")(lambda: None)
    connect(app)
    ts = workspace.post("U0ALICE", "D0ALICE", "think hard")
    place = {"channel_id": "D0ALICE", "thread_ts": ts}
    client.agents_sessions_setStatus(**place, status="processing", title="Hard thoughts")
    workspace.stop_session("U0ALICE", "D0ALICE", ts)
    workspace.wait_for(lambda: events)
    assert (events[0]["streaming_message_ts"], events[0]["thread_ts"]) == ([], ts)
    assert workspace.status("D0ALICE", ts) != ""
    assert workspace.title("D0ALICE", ts) == "Hard thoughts"


def test_stopping_a_thread_ends_all_its_streams() -> None:
    state = sample_workspace()
    streams = Streams(state)
    root = state.post("D0ALICE", "U0ALICE", "go").ts
    made = [streams.start("D0ALICE", "U0LOREBOT", root, []) for _ in range(2)]
    streams.stop_session("D0ALICE", root, "U0ALICE")
    states = [state.message("D0ALICE", message.ts).stream for message in made]
    assert [stream and stream.state for stream in states] == ["stopped_by_user"] * 2


def test_prompts_are_suggested_up_to_four(workspace: Workspace, client: WebClient) -> None:
    prompts = [{"title": f"T{number}", "message": f"M{number}"} for number in range(5)]
    place = {"channel_id": "D0ALICE", "thread_ts": workspace.post("U0ALICE", "D0ALICE", "hi")}
    client.assistant_threads_setSuggestedPrompts(**place, prompts=prompts[:4])
    assert [prompt["title"] for prompt in workspace.prompts("D0ALICE")] == ["T0", "T1", "T2", "T3"]
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        client.assistant_threads_setSuggestedPrompts(**place, prompts=prompts)


def test_bot_learns_what_a_person_looks_at(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    events: list[dict[str, Any]] = []
    app.event("app_context_changed")(lambda event: events.append(event))
    connect(app)
    workspace.view_channel("U0BOB", "C0ENG")
    workspace.wait_for(lambda: events)
    (entity,) = events[0]["context"]["entities"]
    assert (events[0]["user"], entity["value"]) == ("U0BOB", "C0ENG")
