import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.rendering.mrkdwn import link, plain_question, safe_markdown, safe_mrkdwn

HOSTILE = st.text(alphabet="<>!@#|[]()`\\*_~&; \nhtps:/.evilcomCU0here", max_size=200)


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("<@U0LOREBOT> how much?", "how much?"),
        ("see <https://a.example.com/x|the page> &amp; <#C0HELP|help>", "see the page & #help"),
        ("<!here> is a &lt; b?", "is a < b?"),
        ("<mailto:a@b.example.com|a@b.example.com>  two\nlines", "a@b.example.com two lines"),
    ],
)
def test_what_slack_adds_to_a_question_is_undone(typed: str, plain: str) -> None:
    assert plain_question(typed) == plain


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("[click](https://evil.example.com) now", "click now"),
        ("![pixel](https://evil.example.com/p.png?q=secret)", "pixel"),
        ("see https://wiki.example.com/a.", "see `https://wiki.example.com/a`."),
        ("<!channel> <@U1> <https://evil.example.com|x>", None),
        ("`<b>` and ```\nif a < b:\n```", "`&lt;b&gt;` and ```\nif a &lt; b:\n```"),
        ("45 EUR [1]", "45 EUR [1]"),
        ("45 EUR [1][2] and [here][1]", "45 EUR [1][2] and here"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
    ],
)
def test_text_keeps_its_form_but_neither_links_nor_pings(text: str, safe: str | None) -> None:
    made = safe_markdown(text)
    assert "<" not in made
    if safe is not None:
        assert made == safe


@given(HOSTILE)
def test_no_text_of_others_can_ping_or_open_an_angle_bracket(text: str) -> None:
    for made in (safe_markdown(text), safe_mrkdwn(text)):
        assert "<" not in made
        assert ">" not in made


@given(HOSTILE)
def test_no_markdown_link_survives_outside_code(text: str) -> None:
    outside = re.sub(r"```.*?```|`[^`\n]*`", "", safe_markdown(text), flags=re.DOTALL)
    assert not re.search(r"\]\(https?:[^()\s]*\)", outside)


@given(st.text(max_size=80), HOSTILE)
def test_a_citation_links_nowhere_but_to_its_own_address(label: str, url: str) -> None:
    made = link(url, label)
    opened = re.findall(r"<([^|>]*)", made)
    assert opened in ([], [url])


def test_a_citation_without_an_address_is_plain() -> None:
    assert link("", "Expenses › Meals") == "*Expenses › Meals*"
    assert link("javascript:alert(1)", "x") == "*x*"
    assert link("https://a.example.com/x|y", "x") == "*x*"
