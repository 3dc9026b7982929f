"""The whole way as a person goes it: typed on the page, answered there, voted on there."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from bot.domain.settings import Settings
from bot.domain.values import Thumb
from bot.records.database import Database
from bot.records.feedback import Votes
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, HELP, LEADERS
from tests.services.chromium import browser_tests, running_chromium

pytestmark = [*browser_tests, pytest.mark.usefixtures("bot")]


@pytest.fixture
def page() -> Iterator[Page]:
    with running_chromium() as chromium:
        yield chromium.new_page()


def asked(page: Page, workspace: Workspace, channel: str, question: str) -> str:
    """Type a question as Alice and return the text of the bot's finished answer."""
    page.goto(f"{workspace.url}?channel={channel}&person={ALICE}")
    composer = page.get_by_test_id("composer")
    composer.click()
    composer.press_sequentially(f"@Lorebot {question}", delay=1)
    composer.press("Enter")
    answer = page.get_by_test_id("message").filter(has=page.get_by_test_id("feedback-negative"))
    expect(answer.last).to_be_visible(timeout=30_000)
    return answer.last.inner_text()


def test_a_question_typed_on_the_page_is_answered_and_voted_on(
    page: Page, workspace: Workspace, settings: Settings
) -> None:
    text = asked(page, workspace, HELP, "How much may I spend on meals per day when I travel?")
    assert "45 EUR" in text
    assert "Expenses › Limits" in text
    page.get_by_test_id("feedback-negative").last.click()
    expect(page.get_by_text("Thank you, noted.").first).to_be_visible(timeout=10_000)
    (answer,) = [m for m in workspace.messages(HELP) if "context_actions" in str(m.get("blocks"))]
    buttons = next(b for b in answer["blocks"] if b["type"] == "context_actions")
    answer_id = buttons["elements"][0]["negative_button"]["value"].partition(":")[2]
    with closing(Database(settings.records_url)) as database:
        (vote,) = Votes(database).of(answer_id)
    assert (vote.voter, vote.thumb) == (ALICE, Thumb.DOWN)


def test_a_private_page_is_read_out_only_in_its_channel(page: Page, workspace: Workspace) -> None:
    question = "What is the purchase price in project Bittern?"
    assert "11.4 million" not in asked(page, workspace, HELP, question)
    assert "11.4 million" in asked(page, workspace, LEADERS, question)
