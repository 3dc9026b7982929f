"""Who is where: people who come and go, guests, shared and private channels, several people."""

from __future__ import annotations

from typing import Any

import pytest
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.workspace import Channel, Person, Refused, UserGroup, Workspace, sample_workspace
from bot.workspace.state.workspace_state import WorkspaceState

from .conftest import Connect

OWNERS = UserGroup("S0OWNERS", "owners", "Owners", ("U0ALICE", "U0BOB"))


def of(client: WebClient, channel: str) -> list[str]:
    return list(client.conversations_members(channel=channel)["members"])


def test_leaving_is_told_and_takes_the_membership_away(
    workspace: Workspace, app: App, client: WebClient, connect: Connect
) -> None:
    events: list[dict[str, Any]] = []
    app.event("member_left_channel")(lambda event: events.append(event))
    app.event("member_joined_channel")(lambda event: events.append(event))
    connect(app)
    workspace.leave("U0BOB", "C0ENG")
    assert "U0BOB" not in of(client, "C0ENG")
    workspace.wait_for(lambda: len(events) == 1)
    workspace.join("U0BOB", "C0ENG")
    workspace.wait_for(lambda: len(events) == 2)
    told = [(event["type"], event["user"], event["channel"]) for event in events]
    assert told == [
        ("member_left_channel", "U0BOB", "C0ENG"),
        ("member_joined_channel", "U0BOB", "C0ENG"),
    ]


def test_bot_that_was_removed_hears_of_it_and_of_nothing_after(
    workspace: Workspace, app: App, client: WebClient, connect: Connect
) -> None:
    events: list[str] = []
    app.event("member_left_channel")(lambda event: events.append(event["user"]))
    app.event("message")(lambda event: events.append(event["text"]))
    connect(app)
    workspace.leave("U0LOREBOT", "C0LEADS")
    workspace.post("U0ALICE", "C0LEADS", "now among us")
    workspace.post("U0ALICE", "D0ALICE", "last")
    workspace.wait_for(lambda: "last" in events)
    assert events == ["U0LOREBOT", "last"]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.conversations_history(channel="C0LEADS")


def test_bot_joins_and_leaves_public_channels(workspace: Workspace, client: WebClient) -> None:
    workspace.add_channel(Channel("C0NEW", "new", ("U0ALICE",)))
    with pytest.raises(SlackApiError, match="not_in_channel"):
        client.conversations_history(channel="C0NEW")
    client.conversations_join(channel="C0NEW")
    assert "U0LOREBOT" in of(client, "C0NEW")
    client.conversations_leave(channel="C0NEW")
    assert "U0LOREBOT" not in of(client, "C0NEW")


def test_somebody_becomes_a_guest(workspace: Workspace, client: WebClient) -> None:
    workspace.change_person("U0BOB", is_ultra_restricted=True)
    assert client.users_info(user="U0BOB")["user"]["is_ultra_restricted"] is True


def test_channel_is_shared_with_somebody_from_outside(
    workspace: Workspace, app: App, client: WebClient, connect: Connect
) -> None:
    bodies: list[dict[str, Any]] = []
    app.event("message")(lambda body: bodies.append(body))
    connect(app)
    workspace.add_person(Person("U9EVE", "eve", "Eve", is_stranger=True, team_id="T9OTHER"))
    workspace.change_channel("C0HELP", is_ext_shared=True)
    workspace.join("U9EVE", "C0HELP")
    workspace.post("U9EVE", "C0HELP", "hello from outside")
    workspace.wait_for(lambda: bodies)
    assert bodies[0]["is_ext_shared_channel"] is True
    assert bodies[0]["event"]["user_team"] == "T9OTHER"
    assert client.conversations_info(channel="C0HELP")["channel"]["is_ext_shared"] is True
    stranger = client.users_info(user="U9EVE")["user"]
    assert (stranger["is_stranger"], stranger["team_id"]) == (True, "T9OTHER")


def test_channels_of_somebody_are_those_the_bot_may_know_of(
    workspace: Workspace, client: WebClient
) -> None:
    kinds = ["public_channel", "private_channel"]

    def names() -> list[str]:
        found = client.users_conversations(user="U0ALICE", types=kinds)["channels"]
        return [channel["name"] for channel in found]

    assert names() == ["general", "engineering", "help", "leadership"]
    workspace.leave("U0LOREBOT", "C0LEADS")
    assert names() == ["general", "engineering", "help"]


def test_groups_bots_and_the_team_are_known() -> None:
    state = WorkspaceState(
        bot=sample_workspace().bot,
        people=sample_workspace().people,
        channels=sample_workspace().channels,
        groups=(OWNERS,),
    )
    with Workspace(state) as workspace:
        client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        (group,) = client.usergroups_list(include_users=True)["usergroups"]
        assert (group["handle"], group["users"]) == ("owners", ["U0ALICE", "U0BOB"])
        assert client.usergroups_users_list(usergroup="S0OWNERS")["users"] == group["users"]
        assert client.bots_info(bot="B0LOREBOT")["bot"]["user_id"] == "U0LOREBOT"
        assert client.team_info()["team"]["id"] == "T0LOCAL"
        with pytest.raises(SlackApiError, match="no_such_subteam"):
            client.usergroups_users_list(usergroup="S0NOBODY")


def test_nobody_leaves_general_or_a_direct_conversation() -> None:
    state = sample_workspace()
    with pytest.raises(Refused, match="cant_leave_general"):
        state.leave("C0GENERAL", "U0BOB")
    with pytest.raises(Refused, match="method_not_supported"):
        state.leave("D0BOB", "U0BOB")


def test_two_people_talk_without_the_bot(workspace: Workspace) -> None:
    channel = workspace.direct_channel("U0ALICE", "U0BOB")
    assert workspace.direct_channel("U0BOB", "U0ALICE") == channel
    assert workspace.event_ids(workspace.post("U0BOB", channel, "psst")) == []
