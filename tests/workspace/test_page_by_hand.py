"""The page as a person meets it who mistypes, has a narrow screen, or wrote an odd document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser
from slack_sdk import WebClient

from bot.workspace import Workspace
from tests.services.chromium import browser_tests

WIDE = """
| Region | Responsible person | Reimbursement | Documentation | Approval |
|---|---|---|---|---|
| Scandinavia | Kristoffersson | Reimbursement | `internationalization` | Unconditionally |
"""
PAGE = f"# Meals\n\n![A map](https://evil.example/pixel.png)\n\n{WIDE}\n\nEnd.\n"
POLICY = "default-src 'none'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "meals.md").write_text(PAGE)
    (folder / "latin.md").write_bytes(b"# Caf\xe9\n")
    (folder / "folder.md").mkdir()
    (folder / "loop.md").symlink_to("loop.md")
    (tmp_path / "secret.md").write_text("secret")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    return folder


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace(documents=folder) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "a%00.md",
        "%00",
        "%ff.md",
        "%ed%a0%80.md",
        "x" * 300 + ".md",
        "x/" * 3000 + ".md",
        "loop.md",
        "out.md",
        "latin.md",
        "folder.md",
        "missing.md",
        "..%2fsecret.md",
        "%2fetc%2fpasswd",
    ],
)
def test_what_is_no_document_is_not_found(workspace: Workspace, path: str) -> None:
    answer = httpx.get(f"{workspace.url}documents/{path}")
    assert (answer.status_code, answer.text) == (404, "There is no such document.")


def test_a_document_brings_in_nothing_foreign(workspace: Workspace) -> None:
    answer = httpx.get(f"{workspace.url}documents/meals.md")
    assert answer.status_code == 200
    assert POLICY in answer.headers["content-security-policy"]
    assert "https:" not in answer.headers["content-security-policy"]
    assert "<img" not in answer.text
    assert "evil.example" not in answer.text
    assert "[A map]" in answer.text
    assert '<meta name="viewport"' in answer.text


@pytest.mark.parametrize("person", ["U0NOBODY", "", "<b>", 5, None, [], {}])
def test_an_unknown_person_is_told_so(workspace: Workspace, person: object) -> None:
    answer = httpx.post(
        f"{workspace.url}page-api/post",
        json={"person": person, "channel": "C0HELP", "text": "Hi"},
    )
    assert answer.status_code == 400
    assert "There is no person" in answer.json()["error"]


@pytest.mark.parametrize("body", ["[]", "null", "5", '"x"', "{", "[" * 100_000, "\xff"])
def test_an_action_that_no_page_sends_is_a_sentence(workspace: Workspace, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{workspace.url}page-api/post"
    answer = httpx.post(url, content=body.encode("latin-1"), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_every_emoji_has_its_names_once() -> None:
    script = Path("bot/workspace/page/assets/emoji_names.js").read_text(encoding="utf-8")
    entries = [line.split(" ") for line in script.split("`")[1].strip().splitlines()]
    names = [name for *names, _ in entries for name in names]
    assert len(names) == len(set(names)) > 1900
    assert {"thumbsup", "+1", "flag-de", "partying_face", "saluting_face", "ship"} <= set(names)
    assert all(not character.isascii() for *_, character in entries)


def narrow(browser: Browser, url: str) -> Any:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(url)
    return page


WORD_LINES = """(cells) => cells.map((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map((box) => Math.round(box.bottom / 8))).size;
})"""
SCROLLS = "(box) => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX === 'auto'"
FITS = "document.documentElement.scrollWidth <= innerWidth"


class TestInTheBrowser:
    pytestmark = browser_tests

    def test_a_wide_table_scrolls_on_a_narrow_screen(
        self, workspace: Workspace, client: WebClient, browser: Browser
    ) -> None:
        posted = client.chat_postMessage(
            channel="C0HELP", text="x", blocks=[{"type": "markdown", "text": WIDE}]
        )
        assert posted["ok"]
        page = narrow(browser, f"{workspace.url}?channel=C0HELP&person=U0ALICE")
        page.locator(".table").wait_for()
        assert page.locator(".table").evaluate(SCROLLS)
        one_word = page.locator(".table td", has_text="Kristoffersson")
        assert one_word.evaluate_all(WORD_LINES) == [1]
        assert page.evaluate(FITS)
        page.context.close()

    def test_a_document_fits_a_narrow_screen(self, workspace: Workspace, browser: Browser) -> None:
        page = narrow(browser, f"{workspace.url}documents/meals.md")
        assert page.locator("table").evaluate(SCROLLS)
        assert page.locator("td", has_text="Kristoffersson").evaluate_all(WORD_LINES) == [1]
        assert page.evaluate(FITS)
        page.context.close()

    def test_an_unknown_persons_page_says_so(self, workspace: Workspace, browser: Browser) -> None:
        person = quote("U0<b>NOBODY")
        page = narrow(browser, f"{workspace.url}?channel=C0HELP&person={person}")
        page.get_by_role("heading", name="There is no person 'U0<b>NOBODY'").wait_for()
        page.get_by_role("link").click()
        page.get_by_test_id("composer").wait_for()
        page.context.close()

    def test_rare_emoji_are_shown(self, page: Any, client: WebClient) -> None:
        client.chat_postMessage(channel="C0HELP", text=":saluting_face: :flag-de: :no_such_one:")
        page.get_by_text("🫡").wait_for()
        page.get_by_text("🇩🇪").wait_for()
        page.get_by_text(":no_such_one:").wait_for()
