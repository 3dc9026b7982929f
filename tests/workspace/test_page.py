"""The page, in the installed Chromium."""

from __future__ import annotations

from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.workspace import Workspace
from tests.services.chromium import browser_tests

from .conftest import FEEDBACK, Connect

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


class TestInTheBrowser:
    pytestmark = browser_tests

    def test_typed_question_appears_and_mentions_the_bot(
        self, workspace: Workspace, page: Any
    ) -> None:
        composer = page.get_by_test_id("composer")
        composer.press_sequentially("@lo")
        composer.press("Enter")
        composer.press_sequentially("how much leave do I have?")
        composer.press("Enter")
        page.get_by_test_id("message").get_by_text("how much leave").wait_for()
        (message,) = workspace.messages("C0HELP")
        assert message["text"] == "<@U0LOREBOT> how much leave do I have?"
        assert page.locator(".mention").inner_text() == "@Lorebot"

    def test_shift_enter_makes_a_new_line(self, workspace: Workspace, page: Any) -> None:
        composer = page.get_by_test_id("composer")
        composer.press_sequentially("one")
        composer.press("Shift+Enter")
        composer.press_sequentially("two")
        composer.press("Enter")
        workspace.wait_for(lambda: workspace.messages("C0HELP"))
        assert workspace.messages("C0HELP")[0]["text"] == "one\ntwo"

    def test_answer_opens_its_thread_and_streams(
        self, workspace: Workspace, page: Any, client: WebClient
    ) -> None:
        question = workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> how?")
        place = {"channel_id": "C0HELP", "thread_ts": question}
        client.assistant_threads_setStatus(**place, status="is thinking…")
        page.get_by_test_id("status").wait_for()
        stream = client.chat_stream(
            channel="C0HELP",
            thread_ts=question,
            recipient_user_id="U0ALICE",
            recipient_team_id="T0LOCAL",
            buffer_size=1,
        )
        stream.append(markdown_text="Press **sta")
        page.locator("#thread .cursor").wait_for()
        stream.append(markdown_text="rt**.")
        stream.stop(blocks=[FEEDBACK])
        page.get_by_test_id("feedback-positive").wait_for()
        assert page.locator("#thread strong").inner_text() == "start"
        assert page.locator(".cursor").count() == 0
        page.get_by_test_id("thread-composer").fill("thanks")
        page.get_by_test_id("thread-composer").press("Enter")
        page.locator("#thread-messages").get_by_text("thanks").wait_for()
        assert workspace.messages("C0HELP", question)[-1]["text"] == "thanks"

    def test_feedback_click_arrives_and_stays_highlighted(
        self, workspace: Workspace, page: Any, app: App, client: WebClient, connect: Connect
    ) -> None:
        clicked: list[str] = []

        @app.action("feedback")
        def feedback(ack: Ack, body: dict[str, Any]) -> None:
            ack()
            clicked.append(f"{body['user']['id']} {body['actions'][0]['value']}")

        connect(app)
        client.chat_postMessage(channel="C0HELP", text="answer", blocks=[FEEDBACK])
        page.get_by_test_id("feedback-positive").click()
        page.locator("[data-testid=feedback-positive][aria-pressed=true]").wait_for()
        page.get_by_test_id("feedback-negative").click()
        page.locator("[data-testid=feedback-negative][aria-pressed=true]").wait_for()
        assert page.locator("[aria-pressed=true]").count() == 1
        assert clicked == ["U0ALICE up", "U0ALICE down"]

    def test_click_without_a_bot_tells_the_person(
        self, page: Any, client: WebClient, workspace: Workspace
    ) -> None:
        client.chat_postMessage(channel="C0HELP", text="answer", blocks=[FEEDBACK])
        page.get_by_test_id("feedback-positive").click()
        page.locator(".toast").get_by_text("Lorebot is not connected").wait_for()

    def test_hostile_text_stays_text(
        self, workspace: Workspace, page: Any, client: WebClient
    ) -> None:
        page.get_by_test_id("composer").fill(HOSTILE)
        page.get_by_test_id("composer").press("Enter")
        client.chat_postMessage(channel="C0HELP", markdown_text=f"{HOSTILE} [x](javascript:1)")
        plain = {"type": "section", "text": {"type": "mrkdwn", "text": f"{HOSTILE} <javascript:1>"}}
        client.chat_postMessage(channel="C0HELP", text=HOSTILE, blocks=[plain])
        workspace.wait_for(lambda: page.get_by_test_id("message").count() == 3)
        for message in page.get_by_test_id("message").all():
            assert HOSTILE in message.inner_text()
        assert page.locator("#timeline img, #timeline a").count() == 0
        assert page.title() != "owned"

    def test_markdown_is_laid_out(self, page: Any, client: WebClient) -> None:
        client.chat_postMessage(
            channel="C0HELP",
            markdown_text=(
                "# Leave\n27 days [1](https://docs.example/a(b))\n\n- one\n  1. deep\n- two\n\n"
                "| a | b |\n|---|---|\n| 1 | `2` |\n\n```\n<b>\n```"
            ),
        )
        message = page.get_by_test_id("message")
        message.wait_for()
        assert message.locator("h3").inner_text() == "Leave"
        cited = message.locator("a.citation")
        assert (cited.inner_text(), cited.get_attribute("href")) == (
            "1",
            "https://docs.example/a(b)",
        )
        assert message.locator("ul > li > ol > li").inner_text() == "deep"
        assert message.locator("td code").inner_text() == "2"
        assert message.locator("pre").inner_text() == "<b>"

    def test_person_sees_only_what_he_may(
        self, workspace: Workspace, page: Any, client: WebClient
    ) -> None:
        client.chat_postEphemeral(channel="C0HELP", user="U0ALICE", text="for Alice alone")
        page.get_by_text("for Alice alone").wait_for()
        assert page.locator("[data-testid=channel][data-id=C0LEADS]").count() == 1
        page.get_by_test_id("person").click()
        page.locator("[data-testid=person-option][data-id=U0BOB]").click()
        page.locator("[data-testid=channel][data-id=D0BOB]").wait_for()
        assert page.locator("[data-testid=channel][data-id=C0LEADS]").count() == 0
        assert page.get_by_text("for Alice alone").count() == 0

    def test_modal_is_filled_in_and_home_shows(
        self, workspace: Workspace, page: Any, app: App, connect: Connect
    ) -> None:
        answers: list[str | None] = []

        @app.event("app_home_opened")
        def opened(event: dict[str, Any], client: WebClient) -> None:
            button = {"type": "button", "action_id": "ask", "text": plain("Tell us")}
            blocks = [{"type": "actions", "elements": [button]}]
            client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

        @app.action("ask")
        def ask(ack: Ack, body: dict[str, Any], client: WebClient) -> None:
            ack()
            field = {"type": "plain_text_input", "action_id": "why"}
            asked = {"type": "input", "block_id": "b", "label": plain("Why?"), "element": field}
            client.views_open(
                trigger_id=body["trigger_id"],
                view={
                    "type": "modal",
                    "callback_id": "why",
                    "title": plain("Why?"),
                    "submit": plain("Send"),
                    "blocks": [asked],
                },
            )

        @app.view("why")
        def why(ack: Ack, view: dict[str, Any]) -> None:
            ack()
            answers.append(view["state"]["values"]["b"]["why"]["value"])

        connect(app)
        page.locator("[data-testid=channel][data-id=D0ALICE]").click()
        page.get_by_test_id("tab-home").click()
        page.get_by_test_id("button").click()
        page.get_by_test_id("submit").click()
        page.get_by_text("Please complete this required field.").wait_for()
        page.locator(".modal .field").fill("Because.")
        page.get_by_test_id("submit").click()
        page.get_by_test_id("modal").wait_for(state="detached")
        assert answers == ["Because."]


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}
