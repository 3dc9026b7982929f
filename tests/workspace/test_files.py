"""Files: shared by people, fetched by the bot, and uploaded by it in Slack's two steps."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.workspace import Workspace

from .conftest import Connect

NOTES = ("notes.txt", "Grüße".encode())
PDF = ("offer.pdf", b"%PDF-1.7 not really")


def fetched(url: str, token: str = "") -> tuple[str, bytes]:
    """The content type and body at an address; redirects are followed, as clients do."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        return response.headers.get_content_type(), response.read()


def shared(workspace: Workspace, channel: str = "C0HELP", user: str = "U0ALICE") -> Any:
    ts = workspace.post(user, channel, "<@U0LOREBOT> read these", files=[NOTES, PDF])
    return workspace.messages(channel, ts)[0]


def test_mention_with_files_reaches_the_bot_twice_as_slack_has_it(
    workspace: Workspace, app: App, connect: Connect
) -> None:
    heard: list[dict[str, Any]] = []
    app.event("app_mention")(lambda event: heard.append(event))
    app.event({"type": "message", "subtype": "file_share"})(lambda event: heard.append(event))
    connect(app)
    shared(workspace)
    workspace.wait_for(lambda: len(heard) == 2)
    for event in heard:
        assert [file["name"] for file in event["files"]] == ["notes.txt", "offer.pdf"]
        assert [file["mimetype"] for file in event["files"]] == ["text/plain", "application/pdf"]
    assert heard[0]["files"][0]["size"] == len(NOTES[1])


def test_content_needs_the_bots_token(workspace: Workspace) -> None:
    text, pdf = shared(workspace)["files"]
    assert fetched(text["url_private"], workspace.bot_token) == ("text/plain", NOTES[1])
    assert fetched(pdf["url_private_download"], workspace.bot_token)[1] == PDF[1]
    for token in ("", "xoxb-wrong"):
        kind, body = fetched(text["url_private"], token)
        assert kind == "text/html"  # Slack, too, answers with its sign-in page
        assert NOTES[1] not in body


def test_file_shared_where_the_bot_is_not_cannot_be_fetched(
    workspace: Workspace, client: WebClient
) -> None:
    workspace.leave("U0LOREBOT", "C0ENG")
    (text, _) = shared(workspace, "C0ENG")["files"]
    assert fetched(text["url_private"], workspace.bot_token)[0] == "text/html"
    with pytest.raises(SlackApiError, match="file_not_found"):
        client.files_info(file=text["id"])


def test_bot_uploads_in_two_steps(workspace: Workspace, client: WebClient) -> None:
    client.files_upload_v2(
        channel="C0HELP", filename="votes.csv", content="a,b\n", initial_comment="Here."
    )
    (message,) = workspace.messages("C0HELP")
    assert (message["text"], message["files"][0]["name"]) == ("Here.", "votes.csv")
    file = client.files_info(file=message["files"][0]["id"])["file"]
    assert fetched(file["url_private"], workspace.bot_token)[1] == b"a,b\n"
    client.files_delete(file=file["id"])
    assert workspace.messages("C0HELP")[0]["files"] == [{"id": file["id"], "mode": "tombstone"}]


def test_uploaded_picture_can_stand_in_a_view(workspace: Workspace, client: WebClient) -> None:
    file = client.files_upload_v2(filename="votes.png", content=b"\x89PNG")["file"]
    picture = {"type": "image", "slack_file": {"id": file["id"]}, "alt_text": "Votes"}
    client.views_publish(user_id="U0BOB", view={"type": "home", "blocks": [picture]})
    kind, body = fetched(f"{workspace.url}page-files/{file['id']}?person=U0BOB")
    assert (kind, body) == ("image/png", b"\x89PNG")


def test_person_sees_only_files_of_his_channels(workspace: Workspace) -> None:
    (text, _) = shared(workspace, "C0LEADS")["files"]
    address = f"{workspace.url}page-files/{text['id']}?person="
    assert fetched(f"{address}U0ALICE")[1] == NOTES[1]
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        fetched(f"{address}U0BOB")
    refused.value.close()


def test_uploaded_page_is_never_shown_as_one(workspace: Workspace) -> None:
    ts = workspace.post("U0BOB", "C0HELP", "", files=[("x.html", b"<script>1</script>")])
    (file,) = workspace.messages("C0HELP", ts)[0]["files"]
    assert fetched(f"{workspace.url}page-files/{file['id']}?person=U0BOB")[0] == "text/plain"


@pytest.mark.parametrize("length", [0, 51 * 2**20])
def test_empty_and_enormous_uploads_are_refused(client: WebClient, length: int) -> None:
    with pytest.raises(SlackApiError, match=r"length|restricted"):
        client.files_getUploadURLExternal(filename="a.txt", length=length)
