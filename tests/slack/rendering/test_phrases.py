import re
from dataclasses import asdict

import pytest

from bot.slack.rendering.phrases import phrases_for, phrases_in

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")
_WORDS = re.compile(r"\{(\w+)\}")
_SHORT = ("feedback_title", "thanks_title", "about_title", "send", "cancel", "close", "ask")
_BUTTONS = (
    *("good", "bad", "good_label", "bad_label", "ask_person", "share", "withdraw", "tell_more"),
    *("may_learn", "discard", "consent", "wrong", "missing", "outdated", "incomplete"),
)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_says_everything_with_the_same_words_filled_in(code: str) -> None:
    english, spoken = asdict(phrases_in("en")), asdict(phrases_in(code))
    for name, phrase in spoken.items():
        assert phrase.strip(), name
        assert sorted(_WORDS.findall(phrase)) == sorted(_WORDS.findall(english[name])), name
        assert code == "en" or phrase != english[name], name


@pytest.mark.parametrize("code", LANGUAGES)
def test_phrases_keep_to_slacks_limits(code: str) -> None:
    spoken = asdict(phrases_in(code))
    assert all(len(spoken[name]) <= 24 for name in _SHORT)
    assert all(len(spoken[name]) <= 75 for name in _BUTTONS)
    assert len(spoken["status"]) <= 50


def test_an_unknown_language_is_spoken_to_in_english() -> None:
    assert phrases_in("tlh") is phrases_in("en")
    assert phrases_for("Как мне получить доступ к серверу?") is phrases_in("en")


def test_a_chosen_language_wins_over_the_one_written_in() -> None:
    question = "Wie bekomme ich Zugang zum Server?"
    assert phrases_for(question) is phrases_in("de")
    assert phrases_for(question, "nl") is phrases_in("nl")
