"""What an evaluation must show before a candidate may answer."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from adapters.promote.gate import objections
from adapters.settings import PromoteTable
from tests.adapters.candidates import measured

GATE = PromoteTable(metric="f1", min_questions=20, tolerance=0.03, slowdown=0.5)


def test_a_win_without_a_loss_passes() -> None:
    level = measured("faithfulness", 0.90, 0.91, low=-0.05, high=0.03)
    assert objections(GATE, [measured(), level]) == []


def test_a_win_that_may_be_chance_does_not_pass() -> None:
    (told,) = objections(GATE, [measured(candidate=0.52, low=-0.01, high=0.05)])
    assert "does not win: token f1 is 52% against 50%" in told
    assert "from -0.010 to +0.050" in told


def test_a_win_on_few_questions_does_not_pass() -> None:
    (told,) = objections(GATE, [measured(count=19)])
    assert "19 held-out questions with token f1 measured, and 20 are needed" in told


def test_a_metric_that_was_not_measured_is_no_win() -> None:
    (told,) = objections(GATE, [measured("em")])
    assert "There are 0 held-out questions" in told


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (measured("faithfulness", 0.80, 0.84), "worse in faithfulness: 80% against 84%"),
        (
            measured("wrong_refusal", 0.20, 0.10, higher_is_better=False),
            "worse in wrongly declined: 20% against 10%",
        ),
        (
            measured("seconds", 3.1, 2.0, low=0.9, high=1.3, higher_is_better=False),
            "worse in seconds per answer: 3.1",
        ),
        (
            measured("tokens_per_second", 66.0, 100.0, low=-40, high=-30),
            "worse in tokens per second: 66",
        ),
    ],
)
def test_a_loss_beyond_tolerance_is_named(loss: object, words: str) -> None:
    (told,) = objections(GATE, [measured(), loss])  # type: ignore[list-item]
    assert words in told


@pytest.mark.parametrize(
    "loss",
    [
        measured("faithfulness", 0.82, 0.84),
        measured("wrong_refusal", 0.12, 0.10, higher_is_better=False),
        measured("seconds", 2.9, 2.0, low=0.8, high=1.0, higher_is_better=False),
        measured("seconds", 9.0, 2.0, low=-1.0, high=15.0, higher_is_better=False),
        measured("tokens_per_second", 67.0, 100.0, low=-40, high=-30),
        measured("citation_recall", 0.99, 0.50),
    ],
)
def test_a_loss_within_tolerance_or_a_gain_passes(loss: object) -> None:
    assert objections(GATE, [measured(), loss]) == []  # type: ignore[list-item]


def test_a_metric_has_the_tolerance_that_is_set_for_it() -> None:
    loss = measured("faithfulness", 0.82, 0.84)
    strict = GATE.model_copy(update={"tolerances": {"faithfulness": 0.0}})
    assert objections(strict, [measured(), loss])


def test_a_value_that_is_no_number_does_not_win() -> None:
    assert objections(GATE, [measured(low=float("nan"))])


@pytest.mark.parametrize("wrong", [{"metric": "fame"}, {"tolerances": {"fame": 0.1}}])
def test_a_metric_nobody_measures_is_a_mistake_in_the_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PromoteTable.model_validate(wrong)
