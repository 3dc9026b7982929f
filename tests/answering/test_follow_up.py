import pytest

from bot.answering.follow_up import leans_on_thread, standing_alone
from bot.domain.values import Message, Question
from indexer.documents import Audience
from tests.services.scripted_model import ScriptedModel

THREAD = (
    Message("user", "What is the hotel limit in London?"),
    Message("assistant", "It is 180 GBP a night. [1]"),
)


def asked(text: str, history: tuple[Message, ...] = THREAD) -> Question:
    return Question("q", text, Audience.of("public"), history=history)


@pytest.mark.parametrize("text", ["And in Paris?", "Does it include breakfast?", "Why?"])
def test_words_that_are_missing_or_point_back_lean_on_the_thread(text: str) -> None:
    assert leans_on_thread(asked(text))


def test_a_question_without_a_thread_stands_alone() -> None:
    assert not leans_on_thread(asked("And in Paris?", ()))


def test_a_complete_question_in_a_thread_is_left_as_it_is() -> None:
    model = ScriptedModel("", condensed="Something else?")
    alone = standing_alone(asked("How many days of parental leave do fathers get?"), model)
    assert alone.text == "How many days of parental leave do fathers get?"
    assert alone.history == ()
    assert model.shown == []


def test_a_follow_up_is_condensed_with_its_thread() -> None:
    model = ScriptedModel("", condensed="What is the hotel limit in Paris?")
    assert standing_alone(asked("And in Paris?"), model).text == "What is the hotel limit in Paris?"
    assert "180 GBP" in model.shown[0][-1].content


@pytest.mark.parametrize("useless", ["", " \n", "?!", "hotel " * 200])
def test_a_useless_rewriting_is_replaced_by_the_last_two_questions(useless: str) -> None:
    alone = standing_alone(asked("And in Paris?"), ScriptedModel("", condensed=useless))
    assert alone.text == "What is the hotel limit in London?\nAnd in Paris?"


def test_without_a_model_the_last_question_is_searched_for_too() -> None:
    assert "London" in standing_alone(asked("And in Paris?"), None).text


def test_of_a_long_thread_the_newest_turns_that_fit_are_read() -> None:
    turns = tuple(Message("user", f"turn {number} " + "word " * 50) for number in range(20))
    model = ScriptedModel("", condensed="What now?", context_tokens=500)
    standing_alone(asked("And then?", turns), model)
    prompt = model.shown[-1][-1].content
    assert "turn 19" in prompt
    assert "turn 2 " not in prompt
    assert model.count(model.shown[-1]) < 500
