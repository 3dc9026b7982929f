"""An app that hears and may do only what its manifest says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slack_bolt import Ack, App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.workspace import Channel, Workspace, WorkspaceError

from .conftest import Connect

MANIFEST: dict[str, Any] = {
    "features": {
        "slash_commands": [{"command": "/ask", "description": "Ask", "should_escape": True}],
        "shortcuts": [{"name": "Ask about this", "type": "message", "callback_id": "about"}],
    },
    "oauth_config": {"scopes": {"bot": ["chat:write", "channels:history", "im:history"]}},
    "settings": {"event_subscriptions": {"bot_events": ["message.im", "app_mention"]}},
}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(manifest=MANIFEST, redelivery_delays=(0.4,)) as running:
        yield running


def test_app_hears_only_what_it_subscribed_to(workspace: Workspace) -> None:
    in_channel = workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> hi")
    in_private = workspace.post("U0ALICE", "D0ALICE", "hi")
    workspace.react("U0ALICE", "C0HELP", in_channel, "eyes")
    assert len(workspace.event_ids(in_channel)) == 1
    assert len(workspace.event_ids(in_private)) == 1


def test_call_without_its_scope_says_which_one_it_needs(client: WebClient) -> None:
    with pytest.raises(SlackApiError) as refused:
        client.users_info(user="U0BOB")
    assert refused.value.response["error"] == "missing_scope"
    assert refused.value.response["needed"] == "users:read"
    assert "chat:write" in refused.value.response["provided"]


def test_history_of_each_kind_of_channel_has_its_own_scope(client: WebClient) -> None:
    client.conversations_history(channel="C0HELP")
    with pytest.raises(SlackApiError) as refused:
        client.conversations_history(channel="C0LEADS")
    assert refused.value.response["needed"] == "groups:history"


def test_unknown_command_is_refused(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="/dance is not a valid command"):
        workspace.command("U0BOB", "C0HELP", "/dance")


def test_shortcut_reaches_the_bot_with_its_message(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    bodies: list[dict[str, Any]] = []

    @app.shortcut("about")
    def about(ack: Ack, body: dict[str, Any]) -> None:
        ack()
        bodies.append(body)

    connect(app)
    ts = workspace.post("U0ALICE", "C0HELP", "the VPN is down")
    workspace.shortcut("U0BOB", "C0HELP", ts, "about")
    workspace.global_shortcut("U0BOB", "about")
    assert bodies[0]["message"]["text"] == "the VPN is down"
    assert [body["type"] for body in bodies] == ["message_action", "shortcut"]


def test_group_messages_are_a_kind_of_their_own(workspace: Workspace, client: WebClient) -> None:
    trio = ("U0ALICE", "U0BOB", "U0LOREBOT")
    workspace.add_channel(Channel("G0TRIO", "mpdm-alice--bob--lorebot-1", trio, is_mpim=True))
    assert workspace.event_ids(workspace.post("U0BOB", "G0TRIO", "<@U0LOREBOT> hi")) == []
    with pytest.raises(SlackApiError) as refused:
        client.conversations_history(channel="G0TRIO")
    assert refused.value.response["needed"] == "mpim:history"


def test_command_is_answered_where_the_bot_is_no_member(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    app.command("/ask")(lambda ack: ack("Only you see this."))
    connect(app)
    workspace.leave("U0LOREBOT", "C0ENG")
    workspace.command("U0BOB", "C0ENG", "/ask")
    (answer,) = workspace.messages("C0ENG")
    assert (answer["text"], answer["ephemeral_to"]) == ("Only you see this.", "U0BOB")
