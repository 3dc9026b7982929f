import json
from datetime import UTC, datetime

import pytest

from bot.domain.values import (
    Answer,
    Asked,
    AttachedFile,
    Citation,
    Ending,
    Occasion,
    Question,
    Versions,
)
from bot.slack.rendering import messages
from indexer.documents import Audience, Chunk, Passage

PASSAGE = Passage(
    Chunk("hb:expenses.md", 0, "Meals: 45 EUR.", ("Meals",)),
    "Expenses",
    Audience.of("public"),
    0.9,
    0.8,
    1.0,
    url="https://handbook.example.com/expenses",
    modified=datetime(2026, 3, 1, tzinfo=UTC),
)


def answer(text: str, ending: Ending = Ending.QUOTED, **found: tuple[Passage, ...]) -> Answer:
    cited = (Citation(1, PASSAGE),) if ending is Ending.QUOTED else ()
    question = Question("C1:1.5", "How much?", Audience.of("public"))
    return Answer(question, text, ending, Versions("1", "", "e"), citations=cited, **found)


def types(rendered: messages.SlackMessage) -> list[str]:
    return [block["type"] for block in rendered.blocks]


def test_an_answer_shows_text_sources_buttons_and_origin() -> None:
    rendered = messages.answered("abc", answer("45 EUR [1]"))
    assert types(rendered) == ["markdown", "context", "context_actions", "context"]
    assert rendered.blocks[0]["text"] == "45 EUR [1]"
    source = rendered.blocks[1]["elements"][0]["text"]
    assert source == (
        "[1]  <https://handbook.example.com/expenses|Expenses › Meals>  ·  1 Mar 2026"
    )
    buttons = rendered.blocks[2]["elements"][0]
    assert buttons["type"] == "feedback_buttons"
    assert buttons["positive_button"]["value"] == "up:abc"
    assert buttons["negative_button"]["value"] == "down:abc"
    assert "language model" not in rendered.blocks[3]["elements"][0]["text"]
    assert rendered.text.startswith("45 EUR [1]\n[1]  <https://")


def test_an_answer_that_found_nothing_names_the_nearest_documents() -> None:
    rendered = messages.answered("abc", answer("Nothing.", Ending.NOT_FOUND, nearest=(PASSAGE,)))
    assert types(rendered) == ["markdown", "context", "context_actions", "context"]
    assert "Expenses › Meals" in rendered.blocks[1]["elements"][0]["text"]


def test_a_greeting_asks_for_no_vote() -> None:
    assert types(messages.answered("abc", answer("Hello!", Ending.SMALL_TALK))) == ["markdown"]


def test_text_of_documents_cannot_ping_or_link() -> None:
    rendered = messages.answered("abc", answer("<!channel> [here](https://evil.example.com) [1]"))
    assert "<!channel>" not in json.dumps(rendered.blocks)
    assert "evil.example.com" not in json.dumps(rendered.blocks)
    assert "<!channel>" not in rendered.text


@pytest.mark.parametrize("length", [100, 4_000, 40_000])
def test_no_answer_exceeds_what_slack_takes(length: int) -> None:
    rendered = messages.answered("abc", answer("word " * (length // 5)))
    assert len(rendered.text) <= 4_000
    assert len(rendered.blocks[0]["text"]) <= 12_000


def test_a_failure_is_a_sentence_with_a_reference() -> None:
    apology = messages.apology("The model is busy.", "1.5")
    assert apology.text == "The model is busy. (Reference 1.5)"


def asked(occasion: Occasion, channel: str = "C1", *files: AttachedFile) -> Asked:
    private = occasion in (Occasion.COMMAND, Occasion.DIRECT)
    return Asked(
        "q", "", channel, "", "U1", "How <!here> much?", private, occasion=occasion, files=files
    )


def actions(rendered: messages.SlackMessage) -> list[str]:
    found = [block for block in rendered.blocks if block["type"] == "actions"]
    return [element["action_id"] for block in found for element in block["elements"]]


@pytest.mark.parametrize(
    ("occasion", "channel", "offered"),
    [
        (Occasion.MENTION, "C1", ["ask_person"]),
        (Occasion.DIRECT, "D1", []),
        (Occasion.COMMAND, "C1", ["share"]),
        (Occasion.COMMAND, "D1", []),
    ],
)
def test_buttons_are_offered_where_they_can_do_something(
    occasion: Occasion, channel: str, offered: list[str]
) -> None:
    assert actions(messages.answered("abc", answer("45 EUR [1]"), asked(occasion, channel))) == (
        offered
    )


def test_an_answer_without_a_message_says_what_was_asked() -> None:
    rendered = messages.answered("abc", answer("45 EUR [1]"), asked(Occasion.COMMAND))
    assert rendered.tail[0]["elements"][0]["text"] == "Asked: How &lt;!here&gt; much?"


def test_a_file_that_was_not_read_is_named_without_pinging() -> None:
    file = AttachedFile("F1", "<@U1> {x}.mov", "", "", 1, refusal="it has {odd} <!here> parts")
    rendered = messages.answered("abc", answer("45 EUR [1]"), asked(Occasion.MENTION, "C1", file))
    shown = json.dumps(rendered.blocks)
    assert "I could not read &lt;@U1&gt; {x}.mov: it has {odd} &lt;!here&gt; parts" in shown


def test_code_that_is_cut_is_closed_and_the_cut_is_said() -> None:
    rendered = messages.answered("abc", answer("```\n" + "row\n" * 5_000 + "```"))
    assert rendered.body.count("```") == 2
    assert "too long" in rendered.body
