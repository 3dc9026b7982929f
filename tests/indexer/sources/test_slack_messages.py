"""What a reader sees of a message in Slack's wire form."""

import pytest

from indexer.sources.slack_history import as_markdown, first_line, is_content, message_text

OWN = frozenset({"U0BOT", "B0BOT"})


def names(user: str) -> str:
    return {"U1": "Alice"}.get(user, "somebody")


@pytest.mark.parametrize(
    ("wire", "seen"),
    [
        ("<@U1> and <@U9|old>", "@Alice and @somebody"),
        ("<#C1|help> <#C2>", "#help #C2"),
        ("<!here> <!subteam^S1|@hr> <!date^1^{date}|Monday>", "@here @hr Monday"),
        (
            "<https://x.org?a=1&amp;b=2|words> <https://x.org>",
            "[words](https://x.org?a=1&b=2) https://x.org",
        ),
        (
            "<https://x.org/a_(b)|c] [d](slack://e)>",
            "[c\\] \\[d\\](slack://e)](https://x.org/a_%28b%29)",
        ),
        ("<slack://open|this> <javascript:alert(1)|that>", "this that"),
        ("a &lt; b &amp;&amp; c", "a < b && c"),
    ],
)
def test_markup_is_shown_as_words(wire: str, seen: str) -> None:
    assert message_text({"text": wire}, names) == seen


@pytest.mark.parametrize("subtype", ["channel_join", "channel_leave", "channel_topic", "tombstone"])
def test_noise_is_no_content(subtype: str) -> None:
    assert not is_content({"user": "U1", "subtype": subtype}, OWN)
    assert is_content({"user": "U1"}, OWN)
    assert is_content({"user": "U1", "subtype": "thread_broadcast"}, OWN)


def test_the_bot_itself_is_no_content_but_other_bots_are() -> None:
    assert not is_content({"bot_id": "B0BOT", "subtype": "bot_message"}, OWN)
    assert not is_content({"user": "U0BOT"}, OWN)
    message = {"bot_id": "B2", "subtype": "bot_message", "username": "Deploys", "ts": "0.0"}
    assert is_content(message, OWN)
    alert = {**message, "text": "", "attachments": [{"fallback": "Version 3 is live"}]}
    assert as_markdown(alert, names) == "Deploys (1970-01-01 00:00): Version 3 is live"


def test_a_message_without_words_is_left_out() -> None:
    assert as_markdown({"user": "U1", "text": " ", "ts": "0.0"}, names) == ""


def test_a_first_line_has_no_markup_and_ends_at_a_word() -> None:
    assert first_line({"text": "\n> *Why* `not`?\nmore"}, names) == "Why not?"
    assert first_line({"text": "word " * 50}, names) == "word " * 20 + "…"
