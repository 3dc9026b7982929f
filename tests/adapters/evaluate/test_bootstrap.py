"""The interval holds the true difference as often as it says, and planted gains are seen."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.evaluate.comparison import MIN_PAIRS, paired_bootstrap


def test_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        questions = chance.normal(0.5, 0.3, 60)  # what both share makes pairing worth while
        gains = chance.normal(0.1, 0.2, 60)
        found = paired_bootstrap(
            "f1", list(questions + gains), list(questions), resamples=2000, seed=trial
        )
        covered += found.low <= 0.1 <= found.high
    assert 0.91 <= covered / 200 <= 0.98


def test_equal_models_are_rarely_called_different() -> None:
    chance = np.random.default_rng(6)
    called = 0
    for trial in range(200):
        one, other = chance.integers(0, 2, (2, 60)).astype(float)
        found = paired_bootstrap("em", list(one), list(other), resamples=2000, seed=trial)
        called += found.is_better or found.is_worse
    assert called / 200 <= 0.09


def test_pairing_sees_a_small_gain_on_every_question() -> None:
    hard = np.random.default_rng(7).uniform(0, 0.9, 30)
    found = paired_bootstrap("f1", list(hard + 0.05), list(hard))
    assert found.is_better
    assert found.low == pytest.approx(0.05)
    assert found.p_no_gain == pytest.approx(1 / 5001)


def test_fewer_seconds_are_a_gain() -> None:
    found = paired_bootstrap(
        "seconds", [1.0 + n / 10 for n in range(8)], [3.0 + n / 5 for n in range(8)]
    )
    assert found.difference < 0 < found.gain
    assert found.is_better
    assert found.p_no_gain < 0.01


def test_the_same_answers_are_no_gain() -> None:
    found = paired_bootstrap("em", [1.0] * 20, [1.0] * 20)
    assert (found.low, found.high, found.p_no_gain) == (0.0, 0.0, 1.0)
    assert not found.is_better
    assert not found.is_worse


@pytest.mark.parametrize(("count", "decided"), [(MIN_PAIRS - 1, False), (MIN_PAIRS, True)])
def test_a_handful_of_questions_decides_nothing(count: int, decided: bool) -> None:
    found = paired_bootstrap("correct_refusal", [0.0] * count, [1.0] * count)
    assert found.is_worse is decided


def test_the_same_seed_gives_the_same_interval() -> None:
    values = list(np.random.default_rng(8).uniform(0, 1, 25))
    once = paired_bootstrap("f1", values, values[::-1], seed=3)
    assert once == paired_bootstrap("f1", values, values[::-1], seed=3)
    assert once != paired_bootstrap("f1", values, values[::-1], seed=4)
