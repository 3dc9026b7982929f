import pytest

from bot.answering.route import route
from bot.domain import Route


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
        "you",
        "INC-2291",
    ],
)
def test_anything_else_is_looked_up(text: str) -> None:
    assert route(text) is Route.RETRIEVE
