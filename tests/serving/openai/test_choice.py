"""The probabilities of options from listed tokens."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import ModelError
from bot.serving.openai.choice import ListedToken, check_options, probabilities

OPTIONS = ["Yes", "No"]


def listed(**probabilities: float) -> list[ListedToken]:
    return [ListedToken(token.encode(), value) for token, value in probabilities.items()]


def test_spellings_of_an_option_are_summed() -> None:
    tokens = [*listed(Yes=0.3, No=0.2), ListedToken(b" Yes", 0.3)]
    assert probabilities(tokens, OPTIONS) == pytest.approx((0.75, 0.25))


def test_beginning_of_an_option_counts_for_it() -> None:
    assert probabilities(listed(Y=0.6, No=0.2, yes=0.1), OPTIONS) == pytest.approx((0.75, 0.25))


def test_beginning_of_two_options_counts_for_none() -> None:
    tokens = listed(M=0.5, Maybe=0.3, Must=0.1)
    assert probabilities(tokens, ["Maybe", "Must"]) == pytest.approx((0.75, 0.25))


def test_blank_and_other_words_count_for_none() -> None:
    tokens = [*listed(Yes=0.3, No=0.1, Perhaps=0.3), ListedToken(b" ", 0.2)]
    assert probabilities(tokens, OPTIONS) == pytest.approx((0.75, 0.25))


def test_bytes_tell_apart_what_is_a_part_of_a_character() -> None:
    first = {"token": "�", "bytes": [0xD0, 0x94], "logprob": math.log(0.6)}
    other = {"token": "�", "bytes": [0xD0, 0x9D], "logprob": math.log(0.2)}
    tokens = [ListedToken.read(entry) for entry in (first, other)]
    assert probabilities(tokens, ["Да", "Нет"]) == pytest.approx((0.75, 0.25))


def test_missing_option_gets_the_least_listed_share_at_most() -> None:
    found = probabilities(listed(Yes=0.6, Perhaps=0.1), OPTIONS)
    assert found == pytest.approx((0.6 / 0.7, 0.1 / 0.7))


def test_missing_option_gets_no_more_than_the_list_leaves_over() -> None:
    found = probabilities(listed(Yes=0.9, Perhaps=0.09), OPTIONS)
    assert found == pytest.approx((0.9 / 0.91, 0.01 / 0.91))


@pytest.mark.parametrize("tokens", [[], listed(Perhaps=0.9)])
def test_list_without_any_option_tells_nothing(tokens: list[ListedToken]) -> None:
    assert probabilities(tokens, OPTIONS) is None


@given(st.dictionaries(st.sampled_from(["Yes", " Yes", "Y", "No", "x"]), st.floats(-9999, 0)))
def test_shares_are_a_distribution_whatever_is_listed(logprobs: dict[str, float]) -> None:
    entries = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    tokens = [ListedToken.read(entry) for entry in entries]
    found = probabilities(tokens, OPTIONS)
    assert found is None or (
        math.isclose(sum(found), 1.0) and all(0 < share <= 1 for share in found)
    )


@pytest.mark.parametrize("options", [["Yes", "Yes"], ["Yes", " Yes"], ["Yes", ""], ["No", "None"]])
def test_options_that_begin_alike_are_refused(options: list[str]) -> None:
    with pytest.raises(ModelError, match="other words"):
        check_options(options)
