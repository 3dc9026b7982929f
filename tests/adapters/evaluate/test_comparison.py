"""What promotion reads is what evaluation wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.errors import EvaluationError
from adapters.evaluate.comparison import (
    Difference,
    Outcome,
    read_comparison,
    verdict,
    write_comparison,
)

GAIN = Difference("f1", 0.8, 0.5, 0.3, 0.2, 0.4, True, 40, 0.001)
LOSS = Difference("wrong_refusal", 0.3, 0.1, 0.2, 0.1, 0.3, False, 40, 1.0)
CHANCE = Difference("em", 0.4, 0.38, 0.02, -0.1, 0.14, True, 40, 0.4)
SLOWER = Difference("seconds", 9.0, 3.0, 6.0, 5.0, 7.0, False, 40, 1.0)


def test_a_comparison_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    write_comparison(path, [GAIN, LOSS])
    assert read_comparison(path) == [GAIN, LOSS]


@pytest.mark.parametrize("text", ["", "[]", '{"differences": [{"metric": "f1"}]}'])
def test_a_damaged_comparison_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match="run evaluate again"):
        read_comparison(path)


@pytest.mark.parametrize(
    ("differences", "outcome"),
    [
        ([GAIN, CHANCE], Outcome.BETTER),
        ([GAIN, LOSS], Outcome.MIXED),
        ([LOSS, CHANCE], Outcome.WORSE),
        ([CHANCE], Outcome.UNDECIDED),
        ([CHANCE, SLOWER], Outcome.UNDECIDED),
        ([], Outcome.UNDECIDED),
    ],
)
def test_verdict_follows_the_intervals_of_what_is_answered(
    differences: list[Difference], outcome: Outcome
) -> None:
    assert verdict(differences, "The candidate", "the serving model").outcome is outcome


def test_verdict_names_numbers_that_a_manager_can_read() -> None:
    said = verdict([GAIN, LOSS, CHANCE], "The candidate", "the serving model").sentence
    assert said == (
        "The candidate is better than the serving model in token F1 (80% against 50%), but worse "
        "in wrongly declined (30% against 10%)."
    )
