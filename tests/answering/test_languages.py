import pytest

from bot.answering.languages import ENGLISH, language_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Wie hoch ist das Hotelbudget?", "German"),
        ("Quel est le budget hôtel ?", "French"),
        ("¿Cuántos días de vacaciones tengo?", "Spanish"),
        ("Quanti giorni di ferie ho?", "Italian"),
        ("Hoeveel vakantiedagen heb ik?", "Dutch"),
        ("Ile mam dni urlopu?", "Polish"),
        ("How many days off do I have?", "English"),
    ],
)
def test_the_language_of_a_question_is_recognised(text: str, name: str) -> None:
    assert language_of(text).name == name


@pytest.mark.parametrize("text", ["VPN?", "INC-2291", "", "laptop"])
def test_what_may_be_any_language_is_taken_for_english(text: str) -> None:
    assert language_of(text) == ENGLISH


def test_a_language_without_words_of_ours_is_answered_in_its_own_but_told_things_in_english() -> (
    None
):
    japanese = language_of("休暇は何日ありますか")
    assert (japanese.code, japanese.name) == ("ja", "")
    assert japanese.not_found == ENGLISH.not_found
