"""The Web API, through Slack's own client."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.workspace import Workspace

from .conftest import FEEDBACK


def refusal_of(call: Any, **arguments: Any) -> Any:
    """The answer to a call the workspace must refuse."""
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return refused.value.response


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_bot_learns_who_it_is(client: WebClient) -> None:
    answer = client.auth_test()
    who = [answer[name] for name in ("user_id", "bot_id", "team_id")]
    assert who == ["U0LOREBOT", "B0LOREBOT", "T0LOCAL"]
    assert client.api_test()["ok"] is True


@pytest.mark.parametrize("token", ["xoxb-wrong", "xapp-local"])
def test_wrong_token_is_refused(workspace: Workspace, token: str) -> None:
    stranger = WebClient(token=token, base_url=workspace.api_url)
    assert refusal_of(stranger.auth_test)["error"] == "invalid_auth"


def test_connection_needs_the_app_token(workspace: Workspace, client: WebClient) -> None:
    opened = client.apps_connections_open(app_token=workspace.app_token)
    assert opened["url"].startswith("ws://127.0.0.1:")
    refused = refusal_of(client.apps_connections_open, app_token=workspace.bot_token)
    assert refused["error"] == "invalid_auth"


def test_unknown_method_is_refused(client: WebClient) -> None:
    assert refusal_of(client.api_call, api_method="nobody.knows")["error"] == "unknown_method"


def test_posted_message_is_there(workspace: Workspace, client: WebClient) -> None:
    metadata = {"event_type": "answer", "event_payload": {"id": "7"}}
    root = client.chat_postMessage(channel="C0HELP", text="root", metadata=metadata)
    client.chat_postMessage(channel="C0HELP", text="reply", thread_ts=root["ts"])
    first, second = workspace.messages("C0HELP")
    assert first["metadata"] == metadata
    assert (first["reply_count"], first["latest_reply"]) == (1, second["ts"])
    assert (second["thread_ts"], second["parent_user_id"]) == (first["ts"], "U0LOREBOT")


def test_post_without_content_is_refused(client: WebClient) -> None:
    # Not through chat_postMessage, which warns before it asks.
    empty = {"channel": "C0HELP", "text": " ", "blocks": []}
    answer = refusal_of(client.api_call, api_method="chat.postMessage", json=empty)
    assert answer["error"] == "no_text"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": "C0HELP", "markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"channel": "C0HELP", "text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"channel": "C0HELP", "text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
    ],
)
def test_bad_post_is_refused(client: WebClient, arguments: dict[str, Any], error: str) -> None:
    assert refusal_of(client.chat_postMessage, **arguments)["error"] == error


@pytest.mark.parametrize(
    ("blocks", "where"),
    [
        ([section("x" * 3001)], "/blocks/0/text/text"),
        ([section("ok"), {"type": "marquee"}], "/blocks/1/type"),
        ([section("x")] * 51, "/blocks"),
        ([{**section("x"), "block_id": "b"}] * 2, "/blocks/1/block_id"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "text/text"),
        (
            [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
            "/blocks/0/elements",
        ),
        (
            [
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "action_id": "go",
                            "text": {"type": "plain_text", "text": "x" * 76},
                        }
                    ],
                }
            ],
            "/blocks/0/elements/0/text/text",
        ),
        ([{"type": "actions", "elements": FEEDBACK["elements"]}], "/blocks/0/elements/0/type"),
    ],
)
def test_block_beyond_a_limit_is_refused_by_its_path(
    client: WebClient, blocks: list[dict[str, Any]], where: str
) -> None:
    answer = refusal_of(client.chat_postMessage, channel="C0HELP", text="x", blocks=blocks)
    assert answer["error"] == "invalid_blocks"
    assert f"{where}]" in answer["response_metadata"]["messages"][0]


def test_update_replaces_text_and_keeps_chosen_blocks(
    workspace: Workspace, client: WebClient
) -> None:
    posted = client.chat_postMessage(channel="C0HELP", text="old", blocks=[section("stays")])
    client.chat_update(channel="C0HELP", ts=posted["ts"], text="new")
    (message,) = workspace.messages("C0HELP")
    assert message["text"] == "new"
    assert message["blocks"][0]["text"]["text"] == "stays"


def test_update_replaces_markdown_text(workspace: Workspace, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="C0HELP", markdown_text="**old**")
    client.chat_update(channel="C0HELP", ts=posted["ts"], markdown_text="**new**")
    (message,) = workspace.messages("C0HELP")
    assert [block["text"] for block in message["blocks"]] == ["**new**"]


def test_bad_update_is_refused(workspace: Workspace, client: WebClient) -> None:
    theirs = workspace.post("U0ALICE", "C0HELP", "mine")
    own = client.chat_postMessage(channel="C0HELP", text="own")["ts"]
    update = client.chat_update
    missing = refusal_of(update, channel="C0HELP", ts="1.000001", text="x")
    foreign = refusal_of(update, channel="C0HELP", ts=theirs, text="x")
    long = refusal_of(update, channel="C0HELP", ts=own, text="x" * 4001)
    errors = [answer["error"] for answer in (missing, foreign, long)]
    assert errors == ["message_not_found", "cant_update_message", "msg_too_long"]


def test_ephemeral_message_is_for_one_member(workspace: Workspace, client: WebClient) -> None:
    client.chat_postEphemeral(channel="C0HELP", user="U0BOB", text="psst")
    assert workspace.messages("C0HELP")[0]["ephemeral_to"] == "U0BOB"
    assert client.conversations_history(channel="C0HELP")["messages"] == []
    stranger = refusal_of(client.chat_postEphemeral, channel="C0LEADS", user="U0BOB", text="x")
    assert stranger["error"] == "user_not_in_channel"


def test_history_pages_from_the_newest_and_metadata_only_on_request(
    workspace: Workspace, client: WebClient
) -> None:
    metadata = {"event_type": "answer", "event_payload": {}}
    for number in range(5):
        client.chat_postMessage(channel="C0HELP", text=str(number), metadata=metadata)
    first = client.conversations_history(channel="C0HELP", limit=2)
    workspace.post("U0BOB", "C0HELP", "meanwhile")
    pages = [(page["has_more"], page["messages"]) for page in first]
    texts = [(more, [message["text"] for message in messages]) for more, messages in pages]
    assert texts == [(True, ["4", "3"]), (True, ["2", "1"]), (False, ["0"])]
    assert "metadata" not in pages[0][1][0]
    full = client.conversations_history(channel="C0HELP", include_all_metadata=True)
    assert full["messages"][-1]["metadata"] == metadata


def test_replies_begin_with_the_root_and_page_to_the_newest(
    workspace: Workspace, client: WebClient
) -> None:
    root = workspace.post("U0ALICE", "C0HELP", "root")
    for number in range(3):
        workspace.post("U0BOB", "C0HELP", str(number), root)
    pages = client.conversations_replies(channel="C0HELP", ts=root, limit=2)
    texts = [[message["text"] for message in page["messages"]] for page in pages]
    assert texts == [["root", "0"], ["1", "2"]]
    absent = refusal_of(client.conversations_replies, channel="C0HELP", ts="1.000001")
    assert absent["error"] == "thread_not_found"


def test_history_keeps_within_its_bounds(workspace: Workspace, client: WebClient) -> None:
    stamps = [workspace.post("U0ALICE", "C0HELP", str(number)) for number in range(4)]
    bounds = {"channel": "C0HELP", "oldest": stamps[1], "latest": stamps[3]}
    exclusive = client.conversations_history(**bounds)["messages"]
    inclusive = client.conversations_history(**bounds, inclusive=True)["messages"]
    assert [message["text"] for message in exclusive] == ["2"]
    assert [message["text"] for message in inclusive] == ["3", "2", "1"]


def test_channels_and_members_are_listed(client: WebClient) -> None:
    public = client.conversations_list()["channels"]
    both = client.conversations_list(types=["public_channel", "private_channel"])["channels"]
    assert [channel["name"] for channel in public] == ["general", "engineering", "help"]
    assert [channel["name"] for channel in both][-1] == "leadership"
    assert client.conversations_members(channel="C0LEADS")["members"] == ["U0ALICE", "U0LOREBOT"]
    assert client.conversations_info(channel="C0LEADS")["channel"]["is_private"] is True
    opened = client.conversations_open(users="U0BOB", return_im=True)["channel"]
    assert (opened["id"], opened["user"]) == ("D0BOB", "U0BOB")


def test_guests_and_admins_are_told_apart(client: WebClient) -> None:
    alice = client.users_info(user="U0ALICE")["user"]
    carla = client.users_info(user="U0CARLA")["user"]
    assert (alice["is_admin"], alice["is_restricted"]) == (True, False)
    assert (carla["is_admin"], carla["is_restricted"]) == (False, True)
    assert refusal_of(client.users_info, user="U0NOBODY")["error"] == "user_not_found"
    assert [page["members"][0]["id"] for page in client.users_list(limit=2)] == [
        "U0ALICE",
        "U0CARLA",
    ]


def test_bot_reacts_once(workspace: Workspace, client: WebClient) -> None:
    ts = workspace.post("U0ALICE", "C0HELP", "look")
    place = {"channel": "C0HELP", "timestamp": ts, "name": "eyes"}
    client.reactions_add(**place)
    assert refusal_of(client.reactions_add, **place)["error"] == "already_reacted"
    shown = client.reactions_get(channel="C0HELP", timestamp=ts)["message"]["reactions"]
    assert shown == [{"name": "eyes", "users": ["U0LOREBOT"], "count": 1}]
    client.reactions_remove(**place)
    assert refusal_of(client.reactions_remove, **place)["error"] == "no_reaction"


def test_fault_fails_as_often_as_told(workspace: Workspace, client: WebClient) -> None:
    workspace.faults.add("chat.postMessage", error="fatal_error", times=2)
    for _ in range(2):
        refused = refusal_of(client.chat_postMessage, channel="C0HELP", text="x")
        assert refused["error"] == "fatal_error"
    client.chat_postMessage(channel="C0HELP", text="x")
    assert [call.error for call in workspace.calls] == ["fatal_error", "fatal_error", ""]


def test_rate_limited_call_is_retried_by_the_client(
    workspace: Workspace, client: WebClient
) -> None:
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    workspace.faults.add("chat.postMessage", status=429, headers={"Retry-After": "1"})
    client.chat_postMessage(channel="C0HELP", text="at last")
    assert [call.error for call in workspace.calls] == ["ratelimited", ""]
    assert [message["text"] for message in workspace.messages("C0HELP")] == ["at last"]


def test_call_log_holds_no_tokens(workspace: Workspace, client: WebClient) -> None:
    client.chat_postMessage(channel="C0HELP", text="x", token=workspace.bot_token)
    (call,) = workspace.calls
    assert call.method == "chat.postMessage"
    assert workspace.bot_token not in str(call)


def test_home_is_published_and_guarded_by_its_hash(workspace: Workspace, client: WebClient) -> None:
    view = {"type": "home", "blocks": [section("hello")]}
    old = client.views_publish(user_id="U0BOB", view=view)["view"]["hash"]
    client.views_publish(user_id="U0BOB", view=view, hash=old)
    conflict = refusal_of(client.views_publish, user_id="U0BOB", view=view, hash=old)
    assert conflict["error"] == "hash_conflict"
    home = workspace.home("U0BOB")
    assert home is not None
    assert home["blocks"][0]["text"]["text"] == "hello"


def test_view_beyond_a_limit_is_refused_by_its_path(client: WebClient) -> None:
    view = {"type": "home", "blocks": [section("hello")], "private_metadata": "x" * 3001}
    answer = refusal_of(client.views_publish, user_id="U0BOB", view=view)
    assert "/view/private_metadata]" in answer["response_metadata"]["messages"][0]


def test_status_shows_until_the_bot_answers(workspace: Workspace, client: WebClient) -> None:
    ts = workspace.post("U0ALICE", "C0HELP", "question")
    client.assistant_threads_setStatus(channel_id="C0HELP", thread_ts=ts, status="is thinking…")
    assert workspace.status("C0HELP", ts) == "is thinking…"
    client.chat_postMessage(channel="C0HELP", thread_ts=ts, text="answer")
    assert workspace.status("C0HELP", ts) == ""


def test_session_status_writes_the_same_line(workspace: Workspace, client: WebClient) -> None:
    ts = workspace.post("U0ALICE", "C0HELP", "question")
    place = {"channel_id": "C0HELP", "thread_ts": ts}
    client.agents_sessions_setStatus(**place, status="processing")
    assert workspace.status("C0HELP", ts)
    client.agents_sessions_setStatus(**place, status="active")
    assert workspace.status("C0HELP", ts) == ""
