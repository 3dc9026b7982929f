"""A running workspace, a client of it, and a real Bolt app connected to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from bot.slack.app import close_socket
from bot.workspace import Workspace
from tests.services.chromium import running_chromium

Connect = Callable[[App], SocketModeHandler]

FEEDBACK = {
    "type": "context_actions",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "feedback",
            "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up"},
            "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "down"},
        }
    ],
}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(redelivery_delays=(0.4, 0.4, 0.4)) as running:
        yield running


@pytest.fixture
def client(workspace: Workspace) -> WebClient:
    return WebClient(token=workspace.bot_token, base_url=workspace.api_url)


@pytest.fixture
def app(client: WebClient) -> App:
    """A Bolt app with no listeners yet."""
    return App(client=client, raise_error_for_unhandled_request=False)


@pytest.fixture
def connect(workspace: Workspace) -> Iterator[Connect]:
    """Connects an app over Socket Mode and waits until the workspace sees it."""
    handlers: list[SocketModeHandler] = []

    def start(app: App) -> SocketModeHandler:
        handler = SocketModeHandler(app, workspace.app_token, ping_interval=1)
        handlers.append(handler)
        handler.connect()
        workspace.wait_for(lambda: workspace.bot_connected)
        return handler

    yield start
    for handler in handlers:
        close_socket(handler)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser, workspace: Workspace) -> Iterator[Any]:
    """Alice in #help; the test fails where the page logged an error."""
    context = browser.new_context(viewport={"width": 1360, "height": 860})
    page = context.new_page()
    page.set_default_timeout(30_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{workspace.url}?channel=C0HELP&person=U0ALICE")
    page.get_by_test_id("channel").first.wait_for()
    yield page
    context.close()
    assert errors == []
