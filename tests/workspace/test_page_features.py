"""The page, in the installed Chromium: files, commands, shortcuts, membership, installing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_bolt import Ack, App, Respond
from slack_sdk import WebClient

from bot.workspace import Workspace, sample_partner
from bot.workspace.web_api.scopes import ALL_SCOPES
from tests.services.chromium import browser_tests

from .conftest import Connect

MANIFEST: dict[str, Any] = {
    "features": {
        "slash_commands": [
            {"command": "/ask", "description": "Ask privately", "should_escape": True},
            {"command": "/lorebot", "description": "Settings", "should_escape": True},
        ],
        "shortcuts": [{"name": "Ask about this", "type": "message", "callback_id": "about"}],
    },
    "oauth_config": {"scopes": {"bot": list(ALL_SCOPES)}},
    "settings": {"event_subscriptions": {"bot_events": ["agent_session_stopped"]}},
}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(manifest=MANIFEST, others=[sample_partner()]) as running:
        yield running


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def talk_to_bob(page: Any) -> None:
    page.get_by_test_id("browse-people").click()
    page.locator("[data-testid=talk-to][data-id=U0BOB]").click()
    page.get_by_role("heading", name="Bob", exact=True).wait_for()


class TestInTheBrowser:
    pytestmark = browser_tests

    def test_file_is_attached_sent_and_opened(self, workspace: Workspace, page: Any) -> None:
        notes = {"name": "notes.md", "mimeType": "text/markdown", "buffer": b"# Hi"}
        page.get_by_test_id("composer-files").set_input_files([notes])
        page.locator(".chip").get_by_text("4 bytes").wait_for()
        page.get_by_test_id("composer").fill("Read this")
        page.get_by_test_id("composer").press("Enter")
        link = page.get_by_test_id("message").get_by_test_id("file")
        link.get_by_text("notes.md").wait_for()
        (message,) = workspace.messages("C0HELP")
        assert (message["text"], message["files"][0]["size"]) == ("Read this", 4)
        shown = page.request.get(f"{workspace.url.rstrip('/')}{link.get_attribute('href')}")
        assert shown.text() == "# Hi"

    def test_command_is_suggested_and_its_answer_is_for_one(
        self, page: Any, app: App, connect: Connect, workspace: Workspace
    ) -> None:
        app.command("/ask")(lambda ack, command: ack(f"You asked: {command['text']}"))
        connect(app)
        composer = page.get_by_test_id("composer")
        composer.press_sequentially("/a")
        assert page.locator(".suggestion").count() == 1
        composer.press("Enter")
        composer.press_sequentially("@Bob what?")
        composer.press("Enter")
        page.get_by_text("Only visible to you").wait_for()
        (answer,) = workspace.messages("C0HELP")
        assert answer["text"] == "You asked: <@U0BOB|bob> what?"

    def test_unknown_command_and_command_in_a_thread_are_explained(
        self, page: Any, workspace: Workspace
    ) -> None:
        page.get_by_test_id("composer").fill("/dance")
        page.get_by_test_id("composer").press("Enter")
        page.locator(".toast").get_by_text("/dance is not a valid command").wait_for()
        assert page.get_by_test_id("composer").input_value() == "/dance"
        workspace.post("U0BOB", "C0HELP", "root")
        page.get_by_test_id("message").hover()
        page.get_by_test_id("reply").click()
        page.get_by_test_id("thread-composer").fill("/ask me")
        page.get_by_test_id("thread-composer").press("Enter")
        page.locator(".toast").get_by_text("not supported in threads").wait_for()

    def test_shortcut_in_a_messages_menu_reaches_the_bot(
        self, page: Any, app: App, connect: Connect, workspace: Workspace
    ) -> None:
        @app.shortcut("about")
        def about(ack: Ack, shortcut: dict[str, Any], respond: Respond) -> None:
            ack()
            respond(f"About: {shortcut['message']['text']}")

        connect(app)
        workspace.post("U0BOB", "C0HELP", "the printer")
        page.get_by_test_id("message").hover()
        page.get_by_test_id("more").click()
        page.get_by_test_id("shortcut-about").click()
        page.get_by_text("About: the printer").wait_for()

    def test_own_message_is_edited_and_deleted(self, page: Any, workspace: Workspace) -> None:
        workspace.post("U0ALICE", "C0HELP", "ask <@U0BOB> &amp; me")
        page.get_by_test_id("message").hover()
        page.get_by_test_id("more").click()
        page.get_by_test_id("edit").click()
        editor = page.get_by_test_id("editor")
        assert editor.input_value() == "ask @Bob & me"
        editor.fill("ask @Bob")
        editor.press("Enter")
        page.get_by_text("(edited)").wait_for()
        assert workspace.messages("C0HELP")[0]["text"] == "ask <@U0BOB>"
        page.get_by_test_id("message").hover()
        page.get_by_test_id("more").click()
        page.get_by_test_id("delete").click()
        page.get_by_test_id("message").wait_for(state="detached")
        assert workspace.messages("C0HELP") == []

    def test_reaction_is_picked_by_keyboard(self, page: Any, workspace: Workspace) -> None:
        workspace.post("U0BOB", "C0HELP", "done!")
        page.get_by_test_id("message").hover()
        page.get_by_test_id("more-reactions").press("Enter")
        page.get_by_test_id("emoji-+1").press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.locator(".reaction[aria-pressed=true]").wait_for()
        (message,) = workspace.messages("C0HELP")
        assert [each["name"] for each in message["reactions"]] == ["heart"]

    def test_mention_counts_and_other_messages_only_mark(
        self, page: Any, workspace: Workspace
    ) -> None:
        workspace.post("U0BOB", "C0GENERAL", "<@U0ALICE> look")
        workspace.post("U0BOB", "C0ENG", "deployed")
        general = page.locator("[data-testid=channel][data-id=C0GENERAL]")
        general.get_by_test_id("calls").wait_for()
        assert general.get_by_test_id("calls").inner_text() == "1"
        marked = page.locator("[data-testid=channel][data-id=C0ENG]")
        assert marked.get_by_test_id("calls").count() == 0
        assert "unread" in marked.get_attribute("aria-label")
        general.click()
        general.get_by_test_id("calls").wait_for(state="detached")

    def test_people_leave_join_and_are_added(self, page: Any, workspace: Workspace) -> None:
        page.locator("[data-testid=channel][data-id=C0ENG]").click()
        page.get_by_test_id("members").click()
        page.locator("[data-testid=add-member][data-id=U0CARLA]").click()
        workspace.wait_for(lambda: "U0CARLA" in workspace.state.channel("C0ENG").members)
        page.get_by_text("4 members").wait_for()
        page.get_by_test_id("members").click()
        page.get_by_test_id("leave").click()
        page.locator("[data-testid=channel][data-id=C0ENG]").wait_for(state="detached")
        page.get_by_test_id("browse-channels").click()
        page.locator("[data-testid=join-channel][data-id=C0ENG]").click()
        page.locator("[data-testid=channel][data-id=C0ENG]").wait_for()

    def test_person_of_another_workspace_sees_that_one(self, page: Any) -> None:
        page.get_by_test_id("person").click()
        page.locator("[data-testid=person-option][data-id=U1DANA]").click()
        page.locator("[data-testid=channel][data-id=C1HELP]").wait_for()
        assert page.locator(".workspace-name").inner_text() == "Partner Studio"
        assert page.locator("[data-testid=channel][data-id=C0HELP]").count() == 0

    def test_two_people_write_to_each_other(self, page: Any, workspace: Workspace) -> None:
        talk_to_bob(page)
        page.get_by_test_id("composer").fill("psst")
        page.get_by_test_id("composer").press("Enter")
        page.get_by_test_id("message").get_by_text("psst").wait_for()
        assert "false" not in page.locator("#channel-header").inner_text()

    def test_conversation_opens_also_when_the_feed_tells_of_it_late(self, page: Any) -> None:
        def late(socket: Any) -> None:
            server = socket.connect_to_server()

            def pass_on(message: str) -> None:
                page.wait_for_timeout(200)
                socket.send(message)

            server.on_message(pass_on)

        page.route_web_socket("**/page-api/feed*", late)
        page.reload()
        talk_to_bob(page)

    def test_click_survives_what_happens_between_press_and_release(
        self, page: Any, workspace: Workspace
    ) -> None:
        ts = workspace.post("U0BOB", "C0HELP", "root")
        page.get_by_test_id("message").hover()
        page.get_by_test_id("reply").hover()
        page.mouse.down()
        workspace.react("U0BOB", "C0HELP", ts, "eyes")
        page.wait_for_function(
            "async ts => (await import('/page/store.js')).store"
            ".messages.get('C0HELP').get(ts).reactions?.length",
            arg=ts,
        )
        page.wait_for_timeout(100)  # a redraw takes 16 ms
        page.mouse.up()
        page.get_by_test_id("thread-composer").wait_for()
        page.locator("#timeline .reaction").first.wait_for()

    def test_stop_button_of_a_status_tells_the_bot(
        self, page: Any, app: App, client: WebClient, connect: Connect, workspace: Workspace
    ) -> None:
        stopped: list[str] = []
        app.event("agent_session_stopped")(lambda event: stopped.append(event["thread_ts"]))
        connect(app)
        ts = workspace.post("U0ALICE", "C0HELP", "think")
        place = {"channel_id": "C0HELP", "thread_ts": ts}
        client.agents_sessions_setStatus(**place, status="processing")
        page.get_by_test_id("status").get_by_test_id("stop").click()
        workspace.wait_for(lambda: stopped)
        assert stopped == [ts]

    def test_button_that_asks_first_and_select_the_bot_fills(
        self, page: Any, app: App, client: WebClient, connect: Connect, workspace: Workspace
    ) -> None:
        heard: list[Any] = []

        @app.action("forget")
        def forget(ack: Ack) -> None:
            ack()
            heard.append("forgotten")

        @app.options("page")
        def suggest(ack: Ack, body: dict[str, Any]) -> None:
            ack(options=[{"text": plain(f"{body['value']}!"), "value": body["value"]}])

        @app.action("page")
        def chosen(ack: Ack, action: dict[str, Any]) -> None:
            ack()
            heard.append(action["selected_option"]["value"])

        connect(app)
        sure = {"title": plain("Sure?"), "text": plain("Gone."), "confirm": plain("Yes")}
        button = {
            "type": "button",
            "action_id": "forget",
            "text": plain("Forget"),
            "confirm": {**sure, "deny": plain("No")},
        }
        select = {"type": "external_select", "action_id": "page", "min_query_length": 2}
        blocks = [{"type": "actions", "elements": [button, select]}]
        client.chat_postMessage(channel="C0HELP", text="x", blocks=blocks)
        page.get_by_test_id("button").click()
        page.keyboard.press("Escape")
        page.get_by_test_id("confirm").wait_for(state="detached")
        page.get_by_test_id("button").click()
        page.get_by_test_id("confirm-yes").click()
        workspace.wait_for(lambda: heard == ["forgotten"])
        page.locator("[data-action=page]").press_sequentially("vpn")
        page.get_by_test_id("suggested-option").get_by_text("vpn!").click()
        workspace.wait_for(lambda: heard == ["forgotten", "vpn"])

    def test_narrow_window_shows_one_thing_at_a_time(self, page: Any) -> None:
        page.set_viewport_size({"width": 400, "height": 800})
        assert not page.locator("#sidebar").is_visible()
        page.get_by_test_id("to-sidebar").click()
        page.locator("[data-testid=channel][data-id=C0GENERAL]").click()
        assert page.get_by_test_id("composer").is_visible()
        assert not page.locator("#sidebar").is_visible()

    def test_every_control_has_a_name(self, page: Any, workspace: Workspace) -> None:
        workspace.post("U0BOB", "C0HELP", "hello", files=[("a.txt", b"a")])
        page.get_by_test_id("file").wait_for()
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('button, input, textarea, select, a')]"
            ".filter((e) => !(e.ariaLabel || e.title || e.textContent.trim() || e.labels?.length))"
            ".map((e) => e.outerHTML)"
        )
        assert nameless == []

    def test_app_is_allowed_into_a_workspace(self, page: Any, workspace: Workspace) -> None:
        query = {
            "client_id": workspace.client_id,
            "scope": "chat:write",
            "redirect_uri": f"{workspace.url}page/icon.svg",
            "state": "s",
        }
        page.goto(f"{workspace.authorize_url}?{urlencode(query)}")
        page.get_by_label("Install into").select_option("T1PARTNER/U1DANA")
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url("**/icon.svg?code=*")
        code = page.url.partition("code=")[2].partition("&")[0]
        answer = WebClient(base_url=workspace.api_url).oauth_v2_access(
            client_id=workspace.client_id, client_secret=workspace.client_secret, code=code
        )
        assert answer["team"]["id"] == "T1PARTNER"
