import pytest

from bot.slack.listeners.addressed import follows_an_answer, is_question
from bot.slack.replies.thread import reply_metadata

ANSWER = {"bot_id": "B0", "user": "U0LOREBOT", "metadata": reply_metadata("q")}
CALL = {"bot_id": "B0", "user": "U0LOREBOT", "text": "can you help?"}


def said(user: str, text: str = "something") -> dict[str, object]:
    return {"user": user, "text": text}


@pytest.mark.parametrize(
    "text",
    [
        "and at home?",
        "How much is it for contractors",
        "ok, and when I travel by train?",
        "Und zu Hause?",
        "Wie viel ist es in Berlin",
        "what about INC-2291?",
    ],
)
def test_open_questions_may_be_for_the_bot(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "thanks!",
        "thanks, good?",
        "I will ask Bob tomorrow.",
        "The server is down.",
        "<@U0BOB> do you know?",
        "<!here> who has the keys?",
        "Bob, do you know?",
        "Anna: what do you think?",
        ":joy:",
    ],
)
def test_in_doubt_it_is_peoples_talk(text: str) -> None:
    assert not is_question(text)


def test_a_question_follows_when_nobody_else_has_spoken_since_the_answer() -> None:
    assert follows_an_answer([said("U1"), ANSWER], "U1")
    assert follows_an_answer([said("U1"), ANSWER], "U2")
    assert follows_an_answer([ANSWER, said("U1")], "U1")
    assert follows_an_answer([ANSWER, said("U2", "<@U0LOREBOT> mute")], "U1")


def test_talk_between_people_ends_the_conversation_with_the_bot() -> None:
    assert not follows_an_answer([ANSWER, said("U2")], "U1")
    assert not follows_an_answer([said("U1")], "U1")
    assert not follows_an_answer([ANSWER, CALL], "U1")
    assert not follows_an_answer([], "U1")
