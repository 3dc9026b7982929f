"""A real Bolt app over Socket Mode: events, redelivery, interactions."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from slack_bolt import Ack, App, BoltRequest, Respond
from slack_sdk import WebClient

from bot.workspace import Workspace, WorkspaceError

from .conftest import FEEDBACK, Connect

Heard = list[dict[str, Any]]


@pytest.fixture
def heard(app: App) -> Heard:
    """The bodies of all message events, and of mentions, with their retry numbers."""
    bodies: Heard = []

    @app.event("app_mention")
    def mentioned(body: dict[str, Any], request: BoltRequest) -> None:
        retries = request.headers.get("x-slack-retry-num", [])
        bodies.append({**body, "retry": retries[0] if retries else None})

    @app.event("message")
    def said(body: dict[str, Any]) -> None:
        bodies.append(body)

    return bodies


def mentions(heard: Heard) -> Heard:
    return [body for body in heard if body["event"]["type"] == "app_mention"]


def test_mention_arrives_with_its_message(
    workspace: Workspace, app: App, heard: Heard, connect: Connect
) -> None:
    connect(app)
    ts = workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> hi")
    workspace.wait_for(lambda: len(heard) == 2)
    assert {body["event"]["type"] for body in heard} == {"message", "app_mention"}
    assert {body["event"]["ts"] for body in heard} == {ts}
    assert sorted(body["event_id"] for body in heard) == sorted(workspace.event_ids(ts))
    for event_id in workspace.event_ids(ts):
        workspace.wait_for(lambda id_=event_id: workspace.acknowledged(id_))


def test_event_waits_for_the_bot_to_connect(
    workspace: Workspace, app: App, heard: Heard, connect: Connect
) -> None:
    workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> early")
    connect(app)
    workspace.wait_for(lambda: mentions(heard))
    assert mentions(heard)[0]["event"]["text"] == "<@U0LOREBOT> early"


def test_event_nobody_acknowledges_is_sent_three_more_times(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    connect(app)
    ts = workspace.post("U0ALICE", "D0ALICE", "nobody listens to messages")
    (event_id,) = workspace.event_ids(ts)
    workspace.wait_for(lambda: workspace.gave_up(event_id))
    assert workspace.attempts(event_id) == 4
    assert not workspace.acknowledged(event_id)


def test_redelivery_stops_with_the_acknowledgement(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    retries: list[str] = []

    @app.middleware
    def deaf_at_first(request: BoltRequest, next_: Any) -> Any:
        retries.extend(request.headers["x-slack-retry-num"])
        if len(retries) < 2:
            raise RuntimeError("not ready")
        return next_()

    @app.event("message")
    def said() -> None: ...

    connect(app)
    (event_id,) = workspace.event_ids(workspace.post("U0ALICE", "D0ALICE", "hello"))
    workspace.wait_for(lambda: workspace.acknowledged(event_id))
    assert retries == ["0", "1"]


def test_event_is_delivered_again_under_the_same_id(
    workspace: Workspace, app: App, heard: Heard, connect: Connect
) -> None:
    connect(app)
    ts = workspace.post("U0ALICE", "D0ALICE", "once")
    (event_id,) = workspace.event_ids(ts)
    workspace.wait_for(lambda: len(heard) == 1)
    workspace.deliver_again(event_id)
    workspace.wait_for(lambda: len(heard) == 2)
    assert [body["event_id"] for body in heard] == [event_id, event_id]


def test_unacknowledged_event_goes_to_the_next_connection(
    workspace: Workspace, app: App, client: WebClient, heard: Heard, connect: Connect
) -> None:
    stuck = threading.Event()
    first = App(client=client)

    @first.middleware
    def never_acknowledges(next_: Any) -> None:
        stuck.set()
        raise RuntimeError("the process dies here")

    dying = connect(first)
    workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> remember me")
    assert stuck.wait(5)
    dying.close()
    connect(app)
    workspace.wait_for(lambda: mentions(heard))
    assert int(mentions(heard)[0]["retry"]) >= 1


@pytest.mark.parametrize("cut", ["refresh_connections", "drop_connections"])
def test_bot_hears_again_after_a_reconnect(
    workspace: Workspace, app: App, heard: Heard, connect: Connect, cut: str
) -> None:
    connect(app)
    getattr(workspace, cut)()
    workspace.post("U0ALICE", "D0ALICE", "after")
    workspace.wait_for(lambda: heard, timeout=15)
    assert heard[0]["event"]["text"] == "after"


def test_feedback_click_reaches_the_bot(
    workspace: Workspace, app: App, client: WebClient, connect: Connect
) -> None:
    clicked: Heard = []

    @app.action("feedback")
    def feedback(ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        ack()
        clicked.append(body)
        respond("Thank you.")

    connect(app)
    ts = client.chat_postMessage(channel="C0HELP", text="answer", blocks=[FEEDBACK])["ts"]
    workspace.click("U0BOB", "C0HELP", ts, "feedback", "down")
    workspace.wait_for(lambda: len(workspace.messages("C0HELP")) == 2)
    (body,) = clicked
    assert body["user"]["id"] == "U0BOB"
    assert body["container"]["message_ts"] == ts
    assert body["actions"][0]["value"] == "down"
    thanks = workspace.messages("C0HELP")[-1]
    assert (thanks["text"], thanks["ephemeral_to"]) == ("Thank you.", "U0BOB")


def test_modal_is_opened_refused_and_submitted(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    submitted: Heard = []
    view = {
        "type": "modal",
        "callback_id": "reason",
        "title": {"type": "plain_text", "text": "What went wrong?"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "text",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": {"type": "plain_text_input", "action_id": "reason"},
            }
        ],
    }

    @app.command("/why")
    def why(ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.view("reason")
    def reason(ack: Ack, body: dict[str, Any]) -> None:
        submitted.append(body["view"]["state"]["values"])
        if body["view"]["state"]["values"]["text"]["reason"]["value"] == "no":
            ack(response_action="errors", errors={"text": "Say more."})
        else:
            ack()

    connect(app)
    workspace.command("U0ALICE", "C0HELP", "/why")
    workspace.wait_for(lambda: workspace.modal("U0ALICE"))
    assert workspace.submit_view("U0ALICE", {}) == {"text": "Please complete this required field."}
    assert workspace.submit_view("U0ALICE", {"reason": "no"}) == {"text": "Say more."}
    assert workspace.submit_view("U0ALICE", {"reason": "It is old"}) == {}
    assert workspace.modal("U0ALICE") is None
    assert submitted[-1]["text"]["reason"]["value"] == "It is old"


def test_command_answers_the_person_who_typed_it(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    @app.command("/status")
    def status(ack: Ack, command: dict[str, Any]) -> None:
        ack(f"All well, {command['user_name']}: {command['text']}")

    connect(app)
    workspace.command("U0BOB", "C0HELP", "/status", "now")
    (answer,) = workspace.messages("C0HELP")
    assert (answer["text"], answer["ephemeral_to"]) == ("All well, bob: now", "U0BOB")


def test_stopped_stream_and_opened_home_are_told(
    workspace: Workspace, app: App, client: WebClient, heard: Heard, connect: Connect
) -> None:
    events: Heard = []
    app.event("agent_session_stopped")(lambda event: events.append(event))
    app.event("app_home_opened")(lambda event: events.append(event))
    connect(app)
    question = workspace.post("U0ALICE", "D0ALICE", "long answer please")
    ts = client.chat_startStream(channel="D0ALICE", thread_ts=question, markdown_text="…")["ts"]
    workspace.stop_stream("U0ALICE", "D0ALICE", ts)
    workspace.open_home("U0BOB")
    workspace.wait_for(lambda: len(events) == 2)
    stopped = next(event for event in events if event["type"] == "agent_session_stopped")
    opened = next(event for event in events if event["type"] == "app_home_opened")
    assert stopped["streaming_message_ts"] == [ts]
    assert (opened["tab"], opened["channel"]) == ("home", "D0BOB")


def test_interaction_without_a_bot_says_so(workspace: Workspace, client: WebClient) -> None:
    ts = client.chat_postMessage(channel="C0HELP", text="answer", blocks=[FEEDBACK])["ts"]
    with pytest.raises(WorkspaceError, match="Lorebot is not connected"):
        workspace.click("U0BOB", "C0HELP", ts, "feedback", "up")


def test_taken_port_is_named(workspace: Workspace) -> None:
    port = int(workspace.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(WorkspaceError, match=f"Port {port} is already in use"):
        Workspace(port=port).start()
