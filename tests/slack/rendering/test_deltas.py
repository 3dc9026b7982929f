"""What is streamed, at every moment and however it is cut, pings nobody and links nowhere."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.rendering.deltas import Deltas
from bot.slack.rendering.mrkdwn import is_inside_code, safe_markdown

HOSTILE = (
    "Read <!channel> and <@U0BOB> now. [1]",
    "See <http://evil.example|safe> or <https://evil.example>. [1]",
    "Click [here](https://evil.example/a) please. [1][2]",
    "An image ![x](https://evil.example/p.png?q=s) here. [1]",
    "Bare https://evil.example/x and www.evil.example and evil.com. [1]",
    "Code `<!here>` and\n```\nhttps://evil.example\n```\nthen <!everyone>. [1]",
    "A [label][ref] and\n[ref]: https://evil.example\n",
)
_LINK = re.compile(r"https?://|www\.|\bevil\.(?:com|example)")


def outside_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def streamed(*texts: str) -> tuple[list[str], str]:
    """The pieces that were sent for an answer that grew so, and all of them together."""
    deltas, sent = Deltas(11_000), []
    for text in texts:
        if delta := deltas.next(text):
            sent.append(delta)
            deltas.keep(delta)
    return sent, deltas.sent


def assert_harmless(text: str) -> None:
    assert "<" not in text
    assert ">" not in text
    assert not _LINK.search(outside_code(text)), text


@pytest.mark.parametrize("text", HOSTILE)
def test_split_at_every_position_nothing_harmful_is_put_together(text: str) -> None:
    for position in range(len(text) + 1):
        pieces, whole = streamed(text[:position], text)
        for piece in (*pieces, whole):
            assert_harmless(piece)
        assert not is_inside_code(whole)


@pytest.mark.parametrize("text", HOSTILE)
def test_typed_letter_by_letter_nothing_harmful_is_put_together(text: str) -> None:
    pieces, whole = streamed(*(text[:end] for end in range(1, len(text) + 1)))
    for piece in (*pieces, whole):
        assert_harmless(piece)


@given(st.lists(st.sampled_from([*"<>!@[]()`|/. a", "http://evil.com", "U0BOB"]), max_size=30))
def test_however_it_grows_what_was_sent_is_a_sanitised_beginning(parts: list[str]) -> None:
    beginnings = ["".join(parts[:end]) for end in range(1, len(parts) + 1)]
    pieces, whole = streamed(*beginnings)
    assert "".join(pieces) == whole
    text = "".join(parts)
    sanitised = {safe_markdown(text[:end].rstrip()) for end in range(len(text) + 1)}
    assert whole in sanitised


def test_an_answer_that_only_grows_is_streamed_whole() -> None:
    first, second = "Meals: 45 EUR. [1]", "Meals: 45 EUR. [1] Hotels: 120 EUR. [2]"
    pieces, whole = streamed(first, second)
    assert pieces == [first, " Hotels: 120 EUR. [2]"]
    assert whole == second


def test_code_is_held_back_until_it_ends() -> None:
    pieces, _ = streamed("Run ```\nmake all\n", "Run ```\nmake all\n``` now. [1]")
    assert pieces == ["Run ```\nmake all\n``` now. [1]"]


def test_half_a_word_is_held_back() -> None:
    pieces, whole = streamed(
        "See https:", "See https://evil.example", "See https://evil.example x "
    )
    assert pieces == ["See", " `https://evil.example` x"]
    assert whole == "See `https://evil.example` x"


def test_what_does_not_continue_is_left_to_the_end() -> None:
    deltas = Deltas(11_000)
    deltas.keep(deltas.next("Something. [1]"))
    assert deltas.next("Anything else. [1]") == ""
    assert deltas.rest("Anything else.") is None
    assert deltas.rest("Something. [1] And more.") == " And more."
