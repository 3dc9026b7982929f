"""Metrics against hand-computed values and their published definitions."""

from __future__ import annotations

import pytest

from adapters.evaluate.metrics import (
    METRICS,
    CitationScores,
    citation_scores,
    context_precision,
    exact_match,
    normalised_answer,
    share,
    token_f1,
)
from adapters.settings import METRIC_NAMES
from bot.answering.sentences import whole_sentences
from indexer.documents import Passage
from tests.adapters.team import page

CITED = {1: page("meals"), 2: page("hotel"), 3: page("leave")}


def test_settings_name_every_metric() -> None:
    assert METRICS.keys() == set(METRIC_NAMES)


def test_normalisation_is_that_of_squad() -> None:
    assert normalised_answer("The  answer: An 'apple', a day!") == "answer apple day"


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [("The 45 EUR.", "45 eur", 1.0), ("45 EUR a day", "45 EUR", 0.0), ("", "", 1.0)],
)
def test_exact_match_ignores_case_articles_and_punctuation(
    answer: str, reference: str, expected: float
) -> None:
    assert exact_match(answer, reference) == expected


def test_f1_counts_words_as_often_as_both_hold_them() -> None:
    # said: cat cat sat; expected: cat sat down; shared: cat, sat
    assert token_f1("the cat cat sat", "a cat sat down") == pytest.approx(2 * 2 / (3 + 3))


@pytest.mark.parametrize(("answer", "expected"), [("", 0.0), ("nothing shared", 0.0)])
def test_f1_of_nothing_shared_is_zero(answer: str, expected: float) -> None:
    assert token_f1(answer, "45 EUR") == expected


def test_share_of_no_claims_is_unknown_not_zero() -> None:
    assert share([]) is None
    assert share([True, False, True, True]) == 0.75


@pytest.mark.parametrize(
    ("helpful", "expected"),
    [
        ([True, False, True], (1 / 1 + 2 / 3) / 2),
        ([False, True], 1 / 2),
        ([False, False], 0.0),
        ([], 0.0),
    ],
)
def test_context_precision_is_the_mean_precision_at_helpful_places(
    helpful: list[bool], expected: float
) -> None:
    assert context_precision(helpful) == pytest.approx(expected)


def cited(text: str, entailed_by: set[frozenset[str]]) -> CitationScores | None:
    """Entailed where the passages hold one of the sets of topics."""

    def entails(claim: str, passages: object) -> bool:
        assert isinstance(passages, list)
        topics = {topic(one) for one in passages}
        return any(needed <= topics for needed in entailed_by)

    return citation_scores(list(whole_sentences(iter([text]))), CITED, entails)


def topic(passage: Passage) -> str:
    return passage.title.lower()


def test_citation_that_adds_nothing_is_not_precise() -> None:
    # hotel alone does not entail, and meals still does without it
    assert cited("Meals are paid. [1][2]", {frozenset({"meals"})}) == CitationScores(0.5, 1.0)


def test_citations_that_are_needed_together_are_all_precise() -> None:
    both = {frozenset({"meals", "hotel"})}
    assert cited("Both are paid. [1][2]", both) == CitationScores(1.0, 1.0)


def test_citations_that_each_suffice_are_all_precise() -> None:
    either = {frozenset({"meals"}), frozenset({"hotel"})}
    assert cited("Something is paid. [1][2]", either) == CitationScores(1.0, 1.0)


@pytest.mark.parametrize(
    "text", ["Meals are paid.", "Meals are paid. [9]", "Meals are paid. [1][9]"]
)
def test_no_citation_or_one_out_of_range_counts_as_not_entailed(text: str) -> None:
    assert cited(text, {frozenset({"meals"})}) == CitationScores(0.0, 0.0)


def test_citations_of_a_sentence_that_is_not_entailed_are_not_precise() -> None:
    text = "Meals are paid. [1] Trains are late. [2]"
    assert cited(text, {frozenset({"meals"})}) == CitationScores(0.5, 0.5)


def test_an_answer_without_sentences_has_no_citation_scores() -> None:
    assert cited("", set()) is None
