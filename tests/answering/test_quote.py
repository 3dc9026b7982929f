import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from bot.answering.excerpts import Excerpt, excerpts
from bot.answering.judge import Evidence
from bot.answering.quote import QuoteLimits, quote
from indexer.documents import Passage
from tests.answering.samples import LEAVE, MEALS, passage

LIMITS = QuoteLimits(probability=0.5, margin=1.0, likeness=0.6)


def evidence(*found: tuple[Excerpt, float]) -> list[Evidence]:
    """Ranked by the log-odds of the given probabilities."""
    return [
        Evidence(piece, math.log(p / (1 - p)), p, np.eye(len(found), dtype=np.float32)[n])
        for n, (piece, p) in enumerate(found)
    ]


def piece(of: Passage, containing: str) -> Excerpt:
    return next(excerpt for excerpt in excerpts(of) if containing in excerpt.text)


def test_a_short_paragraph_is_quoted_whole_and_cited() -> None:
    text, citations = quote(evidence((piece(MEALS, "45 EUR"), 0.9)), LIMITS)
    assert text == ("Meals are refunded up to 45 EUR per day. Keep every receipt above 25 EUR. [1]")
    assert [(c.number, c.passage) for c in citations] == [(1, MEALS)]


def test_below_the_threshold_nothing_is_quoted() -> None:
    assert quote(evidence((piece(MEALS, "45 EUR"), 0.4)), LIMITS) == ("", ())
    assert quote([], LIMITS) == ("", ())


def test_a_much_weaker_passage_is_not_added() -> None:
    text, citations = quote(
        evidence((piece(MEALS, "45 EUR"), 0.95), (piece(LEAVE, "28 days"), 0.6)), LIMITS
    )
    assert "28 days" not in text
    assert len(citations) == 1


def test_two_passages_of_like_strength_are_both_quoted() -> None:
    text, citations = quote(
        evidence((piece(MEALS, "45 EUR"), 0.95), (piece(LEAVE, "28 days"), 0.9)), LIMITS
    )
    assert "[1]" in text
    assert "28 days of leave." in text
    assert [c.passage for c in citations] == [MEALS, LEAVE]


def test_of_two_close_answers_the_newer_page_comes_first() -> None:
    old = replace(MEALS, modified=datetime(2024, 5, 1, tzinfo=UTC))
    new = replace(
        passage("Meals: 50 EUR.", document="hb:n.md"), modified=datetime(2026, 1, 1, tzinfo=UTC)
    )
    text, citations = quote(
        evidence((piece(old, "45 EUR"), 0.9), (piece(new, "50 EUR"), 0.85)), LIMITS
    )
    assert text.startswith("Meals: 50 EUR. [1]")
    assert [c.passage for c in citations] == [new, old]


def test_the_same_words_in_two_documents_are_quoted_once() -> None:
    twin = passage(MEALS.chunk.text, document="hb:copy.md", title="Copy")
    text, citations = quote(
        evidence((piece(MEALS, "45 EUR"), 0.95), (piece(twin, "45 EUR"), 0.95)), LIMITS
    )
    assert text.count("45 EUR") == 1
    assert [c.passage for c in citations] == [MEALS]


def test_a_list_comes_with_the_sentence_that_leads_in() -> None:
    page = passage("To roll back:\n\n1. Run it.\n2. Tell us.\n")
    text, _ = quote(evidence((piece(page, "Tell us"), 0.9)), LIMITS)
    assert text == "To roll back:\n\n1. Run it.\n2. Tell us. [1]"


def test_a_long_table_is_quoted_by_header_and_row() -> None:
    rows = "\n".join(f"| item {n} | {n} EUR |" for n in range(20))
    page = passage(f"| Item | Limit |\n|---|---|\n{rows}\n")
    text, _ = quote(evidence((piece(page, "item 7 "), 0.9)), LIMITS)
    assert text == "| Item | Limit |\n|---|---|\n| item 7 | 7 EUR |\n\n[1]"


def test_code_is_quoted_whole() -> None:
    page = passage("Run:\n\n```sh\nbun status\n```\n")
    text, _ = quote(evidence((piece(page, "bun"), 0.9)), LIMITS)
    assert text == "Run:\n\n```sh\nbun status\n```\n\n[1]"


def test_of_a_long_paragraph_only_the_chosen_sentences_are_quoted_in_order() -> None:
    filler = " ".join(f"Sentence number {n} says nothing of interest." for n in range(12))
    page = passage(f"The limit is high. {filler} The deadline is Friday.")
    text, _ = quote(evidence((piece(page, "deadline"), 0.9), (piece(page, "limit"), 0.9)), LIMITS)
    assert text == "The limit is high. … The deadline is Friday. [1]"


def test_another_page_on_the_same_thing_is_quoted_too_though_it_ranks_lower() -> None:
    found = evidence((piece(MEALS, "45 EUR"), 0.97), (piece(LEAVE, "28 days"), 0.6))
    alike = [replace(one, vector=found[0].vector) for one in found]
    assert len(quote(found, LIMITS)[1]) == 1
    assert len(quote(alike, LIMITS)[1]) == 2


def test_a_sentence_that_announces_code_brings_it_along() -> None:
    page = passage("Silence it with a reason:\n\n```sh\nbun mute\n```\n")
    text, _ = quote(evidence((piece(page, "Silence"), 0.9)), LIMITS)
    assert text == "Silence it with a reason:\n\n```sh\nbun mute\n```\n\n[1]"
