import pytest

from bot.answering.route import route
from bot.domain.values import Route


@pytest.mark.parametrize(
    "text", ["hi", "Hello there!", "thanks a lot :)", "", "👋", "help", "What can you do?"]
)
def test_courtesies_need_no_documents(text: str) -> None:
    assert route(text) is Route.SMALL_TALK


@pytest.mark.parametrize(
    "text",
    [
        "hi, how do I get VPN?",
        "good release date?",
        "thanks — and the deploy freeze?",
        "help with expenses",
        "INC-2291",
    ],
)
def test_anything_else_is_looked_up(text: str) -> None:
    assert route(text) is Route.RETRIEVE


@pytest.mark.parametrize("text", ["that was quick, I like it", "you made my day", "lol we did it"])
def test_talk_without_any_sign_of_a_question_is_left_to_the_model(text: str) -> None:
    assert route(text) is None


@pytest.mark.parametrize("text", ["Danke schön!", "merci beaucoup", "¡Muchas gracias!"])
def test_courtesies_of_other_languages_need_no_documents(text: str) -> None:
    assert route(text) is Route.SMALL_TALK
