"""Answers that are written while people watch, through the SDK's own stream helper."""

from __future__ import annotations

import time

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.messages.chunk import PlanUpdateChunk, TaskUpdateChunk
from slack_sdk.web.chat_stream import ChatStream

from bot.workspace import Workspace

from .conftest import FEEDBACK


@pytest.fixture
def question(workspace: Workspace) -> str:
    return workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> how?")


def stream(client: WebClient, question: str, mode: str = "timeline") -> ChatStream:
    return client.chat_stream(
        channel="C0HELP",
        thread_ts=question,
        recipient_team_id="T0LOCAL",
        recipient_user_id="U0ALICE",
        task_display_mode=mode,
        buffer_size=1,
    )


def error_of(refused: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(refused.value.response["error"])


def test_stream_grows_and_completes_with_its_blocks(
    workspace: Workspace, client: WebClient, question: str
) -> None:
    writing = stream(client, question)
    writing.append(markdown_text="Press ")
    writing.append(markdown_text="**start**.")
    (partial,) = workspace.messages("C0HELP", question)[1:]
    assert (partial["text"], partial["streaming_state"]) == ("Press **start**.", "in_progress")
    writing.stop(blocks=[FEEDBACK], metadata={"event_type": "answer", "event_payload": {}})
    (answer,) = workspace.messages("C0HELP", question)[1:]
    assert answer["streaming_state"] == "completed"
    assert [block["type"] for block in answer["blocks"]] == ["markdown", "context_actions"]
    assert answer["metadata"]["event_type"] == "answer"


def test_short_answer_arrives_with_the_stop(
    workspace: Workspace, client: WebClient, question: str
) -> None:
    writing = client.chat_stream(
        channel="C0HELP",
        thread_ts=question,
        recipient_team_id="T0LOCAL",
        recipient_user_id="U0ALICE",
    )
    writing.append(markdown_text="Yes.")
    writing.stop()
    assert workspace.messages("C0HELP", question)[-1]["text"] == "Yes."


def test_task_is_replaced_by_its_later_state(
    workspace: Workspace, client: WebClient, question: str
) -> None:
    writing = stream(client, question)
    writing.append(chunks=[TaskUpdateChunk(id="1", title="Searching", status="in_progress")])
    source = {"type": "url", "url": "https://docs.example/a", "text": "A"}
    done = TaskUpdateChunk(id="1", title="Searched", status="complete", sources=[source])
    writing.append(chunks=[done])
    (task,) = workspace.messages("C0HELP", question)[-1]["blocks"]
    assert (task["type"], task["title"], task["status"]) == ("task_card", "Searched", "complete")
    assert task["sources"] == [source]


def test_plan_gathers_its_tasks(workspace: Workspace, client: WebClient, question: str) -> None:
    writing = stream(client, question, "plan")
    task = TaskUpdateChunk(id="1", title="Searched", status="complete")
    writing.append(chunks=[task, PlanUpdateChunk(title="Reading")], markdown_text="So.")
    plan, text = workspace.messages("C0HELP", question)[-1]["blocks"]
    assert (plan["type"], plan["title"], len(plan["tasks"])) == ("plan", "Reading", 1)
    assert text["text"] == "So."


@pytest.mark.parametrize("missing", ["recipient_user_id", "recipient_team_id"])
def test_stream_in_a_channel_needs_its_recipient(
    client: WebClient, question: str, missing: str
) -> None:
    recipient = {"recipient_user_id": "U0ALICE", "recipient_team_id": "T0LOCAL"}
    del recipient[missing]
    with pytest.raises(SlackApiError) as refused:
        client.chat_startStream(channel="C0HELP", thread_ts=question, **recipient)
    assert error_of(refused) == f"missing_{missing}"


def test_stream_in_a_direct_message_needs_no_recipient(
    workspace: Workspace, client: WebClient
) -> None:
    question = workspace.post("U0BOB", "D0BOB", "hi")
    client.chat_startStream(channel="D0BOB", thread_ts=question, markdown_text="hello")
    assert workspace.messages("D0BOB", question)[-1]["text"] == "hello"


def test_completed_stream_takes_no_more(client: WebClient, question: str) -> None:
    writing = stream(client, question)
    writing.append(markdown_text="done")
    writing.stop()
    with pytest.raises(SlackApiError) as refused:
        client.chat_appendStream(channel="C0HELP", ts=str(writing.ts), markdown_text="more")
    assert error_of(refused) == "message_not_in_streaming_state"


def test_open_stream_cannot_be_updated(client: WebClient, question: str) -> None:
    writing = stream(client, question)
    writing.append(markdown_text="half")
    with pytest.raises(SlackApiError) as refused:
        client.chat_update(channel="C0HELP", ts=str(writing.ts), text="other")
    assert error_of(refused) == "streaming_state_conflict"


def test_unknown_chunk_is_refused(client: WebClient, question: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        client.chat_startStream(
            channel="C0HELP",
            thread_ts=question,
            recipient_user_id="U0ALICE",
            recipient_team_id="T0LOCAL",
            chunks=[{"type": "task_update", "id": "1", "title": "x", "status": "completed"}],
        )
    assert error_of(refused) == "invalid_chunks"


def test_expired_stream_is_recovered_by_an_update() -> None:
    with Workspace(stream_lifetime=0.1) as workspace:
        client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        question = workspace.post("U0ALICE", "C0HELP", "how?")
        writing = stream(client, question)
        writing.append(markdown_text="half")
        time.sleep(0.15)
        with pytest.raises(SlackApiError) as refused:
            writing.append(markdown_text="more")
        assert error_of(refused) == "message_not_in_streaming_state"
        client.chat_update(channel="C0HELP", ts=str(writing.ts), markdown_text="whole")
        answer = workspace.messages("C0HELP", question)[-1]
        assert [block["text"] for block in answer["blocks"]] == ["whole"]


def test_stream_a_person_stopped_refuses_more(
    workspace: Workspace, client: WebClient, question: str
) -> None:
    writing = stream(client, question)
    writing.append(markdown_text="half")
    workspace.stop_stream("U0ALICE", "C0HELP", str(writing.ts))
    with pytest.raises(SlackApiError) as refused:
        writing.append(markdown_text="more")
    assert error_of(refused) == "stopped_by_user"
