"""Answering with documents and closed-book, and how fast a model writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.evaluate import systems
from adapters.evaluate.systems import Streamed, own_words, stream
from bot.answering.languages import ENGLISH, language_named
from bot.domain.errors import ModelError
from bot.domain.values import Answer, Ending, Message, Question, Versions
from bot.serving.llama_cpp.engine import LlamaEngine
from indexer.documents import Audience
from tests.services.scripted_model import ScriptedModel
from tests.services.tiny_model import distinct_text

GERMAN = language_named("de") or ENGLISH


@pytest.mark.parametrize(("code", "language"), [("", ENGLISH), ("de", GERMAN)])
def test_what_the_bot_adds_by_itself_is_nobodys_claim(code: str, language: object) -> None:
    assert isinstance(language, type(ENGLISH))
    text = (
        f"It is 45 EUR. [1]\n\n{language.disagree} [1] (2026-05-01) · [2]\n\n{language.cut_short}"
    )
    question = Question("q", "How much is paid for meals?", Audience.of("public"), language=code)
    answer = Answer(question, text, Ending.GENERATED, Versions("1", "m", "e"))
    assert own_words(answer) == "It is 45 EUR. [1]"


def test_a_model_that_fails_has_said_nothing() -> None:
    said = stream(ScriptedModel(ModelError("broken")), [Message("user", "?")], 10, 10.0)
    assert said == Streamed("", said.seconds, None, failed=True)


@pytest.mark.parametrize(("least", "is_told"), [(1e-9, True), (3600.0, False)])
def test_speed_is_counted_in_tokens_of_the_model_where_it_took_long_enough(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, least: float, is_told: bool
) -> None:
    monkeypatch.setattr(systems, "MIN_SECONDS", least)
    engine = LlamaEngine.load(tiny_model, context_tokens=512, slots=1, threads=1)
    try:
        said = stream(engine, [Message("user", distinct_text(20))], 64, 60.0)
    finally:
        engine.close()
    assert said.text == distinct_text(20)
    assert (said.tokens_per_second is not None) == is_told
    if said.tokens_per_second is not None:
        assert said.tokens_per_second * said.seconds > 15


def test_time_that_is_over_is_a_failure() -> None:
    assert stream(ScriptedModel("Late."), [Message("user", "?")], 10, 0.0).failed
