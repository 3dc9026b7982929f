"""Whom a message pings, where it links, and what Slack would preview."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk import WebClient

from bot.workspace import Workspace

EVERYBODY = ("U0ALICE", "U0BOB", "U0CARLA")


def rich(element: dict[str, Any]) -> dict[str, Any]:
    section = {"type": "rich_text_section", "elements": [element]}
    return {"type": "rich_text", "elements": [section]}


def section(text: str, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": "section", "text": {"type": kind, "text": text}}


@pytest.mark.parametrize(
    ("text", "pinged"),
    [
        ("hello <@U0BOB> and <@U0BOB|bob>", ("U0BOB",)),
        ("<!channel>", EVERYBODY),
        ("<!here|here> look", EVERYBODY),
        ("&lt;!channel&gt; and &lt;@U0BOB&gt;", ()),
        ("@channel @Bob", ()),
        ("<@U0NOBODY>", ()),
    ],
)
def test_text_pings_whom_slack_would_ping(
    workspace: Workspace, client: WebClient, text: str, pinged: tuple[str, ...]
) -> None:
    ts = client.chat_postMessage(channel="C0HELP", text=text)["ts"]
    assert workspace.pinged("C0HELP", ts) == pinged


@pytest.mark.parametrize(
    ("block", "pinged"),
    [
        (section("<@U0BOB>"), ("U0BOB",)),
        (section("<@U0BOB>", "plain_text"), ()),
        ({"type": "markdown", "text": "see <!everyone>"}, EVERYBODY),
        (rich({"type": "user", "user_id": "U0BOB"}), ("U0BOB",)),
        (rich({"type": "broadcast", "range": "channel"}), EVERYBODY),
        (rich({"type": "text", "text": "<!channel>"}), ()),
    ],
)
def test_blocks_ping_whom_slack_would_ping(
    workspace: Workspace, client: WebClient, block: dict[str, Any], pinged: tuple[str, ...]
) -> None:
    ts = client.chat_postMessage(channel="C0HELP", text="x", blocks=[block])["ts"]
    assert workspace.pinged("C0HELP", ts) == pinged


def test_outsider_and_author_are_not_pinged(workspace: Workspace) -> None:
    ts = workspace.post("U0ALICE", "C0ENG", "<@U0CARLA> <@U0ALICE> <@U0BOB>")
    assert workspace.pinged("C0ENG", ts) == ("U0BOB",)


def test_linked_names_ping(workspace: Workspace, client: WebClient) -> None:
    ts = client.chat_postMessage(channel="C0HELP", text="ask @bob", link_names=True)["ts"]
    assert workspace.pinged("C0HELP", ts) == ("U0BOB",)


def test_links_are_found_everywhere(workspace: Workspace, client: WebClient) -> None:
    button = {
        "type": "button",
        "action_id": "go",
        "url": "https://c.example/",
        "text": {"type": "plain_text", "text": "Go"},
    }
    blocks = [section("<https://a.example/x|A>"), {"type": "actions", "elements": [button]}]
    ts = client.chat_postMessage(channel="C0HELP", text="https://b.example", blocks=blocks)["ts"]
    found = ("https://b.example", "https://a.example/x", "https://c.example/")
    assert workspace.links("C0HELP", ts) == found


def test_code_links_nowhere(workspace: Workspace, client: WebClient) -> None:
    text = "`https://a.example` ```\nhttps://b.example\n``` https://c.example `https://d.example"
    ts = client.chat_postMessage(channel="C0HELP", text=text)["ts"]
    assert workspace.links("C0HELP", ts) == ("https://c.example", "https://d.example")


@pytest.mark.parametrize(
    ("flags", "previews"),
    [
        ({}, ["https://a.example/p.png"]),
        ({"unfurl_links": True}, ["https://a.example/doc", "https://a.example/p.png"]),
        ({"unfurl_links": False, "unfurl_media": False}, []),
    ],
)
def test_previews_follow_the_flags(
    workspace: Workspace, client: WebClient, flags: dict[str, bool], previews: list[str]
) -> None:
    text = "https://a.example/doc https://a.example/p.png"
    client.chat_postMessage(channel="C0HELP", text=text, **flags)
    (message,) = workspace.messages("C0HELP")
    assert [each["from_url"] for each in message.get("attachments", [])] == previews
