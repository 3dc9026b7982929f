"""Who judges, and how: by words, or by a model's Yes and No."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.evaluate.judging import LexicalJudge, ModelJudge, claims_of
from bot.domain.values import Message
from indexer.documents import Passage
from tests.adapters.team import PAGES, page
from tests.services.scripted_model import ScriptedModel

MEALS = [page("meals"), page("hotel")]


def test_claims_are_sentences_without_marks_and_bullets() -> None:
    assert claims_of("Meals are paid. [1]\n- Rooms are, too. [2]") == [
        "Meals are paid.",
        "Rooms are, too.",
    ]


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (PAGES["meals"], True),
        ("Meals are paid up to 45 EUR on each journey.", True),
        ("Meals are paid up to 60 EUR a day.", False),
        ("Trains are booked by the travel office.", False),
    ],
)
def test_without_a_model_words_and_numbers_decide(claim: str, holds: bool) -> None:
    assert LexicalJudge(0.8).supported([claim], MEALS) == [holds]


def test_without_passages_nothing_is_supported() -> None:
    assert LexicalJudge(0.8).supported(["Meals are paid."], []) == [False]
    assert ModelJudge(ScriptedModel("")).supported(["Meals are paid."], []) == [False]


def test_without_a_model_a_passage_helps_that_holds_a_claim_of_the_answer() -> None:
    judge = LexicalJudge(0.8)
    assert judge.helpful("How much?", f"Yes. {PAGES['hotel']}", MEALS) == [False, True]


def test_the_judge_without_a_model_says_so() -> None:
    assert "no language model" in LexicalJudge(0.8).name


def test_a_model_is_asked_about_every_claim_with_all_passages_before_it() -> None:
    shown: list[str] = []

    def judge(prefix: Sequence[Message], probe: str) -> float:
        shown.append(prefix[-1].content)
        return 0.9 if "45 EUR" in probe else 0.4

    claims = ["It is 45 EUR.", "It is blue."]
    assert ModelJudge(ScriptedModel("", judge=judge)).supported(claims, MEALS) == [True, False]
    assert all(PAGES["meals"] in one and PAGES["hotel"] in one for one in shown)


def test_passages_that_do_not_fit_together_are_read_in_parts() -> None:
    def judge(prefix: Sequence[Message], probe: str) -> float:
        return float(PAGES["hotel"] in prefix[-1].content)

    def padded(passage: Passage) -> Passage:
        return replace(
            passage, chunk=replace(passage.chunk, text=passage.chunk.text + " word" * 150)
        )

    model = ScriptedModel("", context_tokens=400, judge=judge)
    judged = ModelJudge(model).supported(["Rooms cost 140 EUR."], [padded(one) for one in MEALS])
    assert judged == [True]
    assert len(model.probes) == 2


def test_a_model_writes_three_questions_back() -> None:
    asked = ModelJudge(ScriptedModel("How much is paid?")).asked_back("45 EUR.")
    assert asked == ["How much is paid?"] * 3
