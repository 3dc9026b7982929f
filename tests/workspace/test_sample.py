"""The sample handbook and its questions hold what demonstrations and evaluations assume."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "bot" / "workspace" / "sample"
PAGES = sorted(path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*.md"))
QUESTIONS: list[dict[str, Any]] = json.loads(
    (ROOT / "tests" / "data" / "handbook_questions.json").read_text(encoding="utf-8")
)
ANSWERED = [question for question in QUESTIONS if question["page"]]
CONTRADICTIONS = [
    ("45 EUR per day", "people/travel-2024.md", "30 EUR per day"),
    ("0.32 EUR per kilometre", "people/travel-2024.md", "0.28 EUR per kilometre"),
    ("11 December to 6 January", "engineering/deploys.md", "18 December to 3 January"),
    ("30 minutes", "product/support-tiers.md", "4 hours | 2 hours | 1 hour |"),
    ("600 EUR", "people/equipment.md", "contributes 400 EUR"),
    ("at least 16 characters", "people/onboarding.md", "at least 12 characters"),
    ("1,500 EUR a year", "people/onboarding.md", "1,000 EUR a year"),
]


def read(page: str) -> tuple[dict[str, Any], str]:
    """Front matter and body of a page."""
    opening, front_matter, body = (SAMPLE / page).read_text(encoding="utf-8").split("---\n", 2)
    assert opening == ""
    return yaml.safe_load(front_matter), body


def is_private(page: str) -> bool:
    return page.startswith("leadership/")


def test_handbook_has_a_realistic_number_of_pages() -> None:
    assert 25 <= len(PAGES) <= 40


@pytest.mark.parametrize("page", PAGES)
def test_page_has_title_and_date(page: str) -> None:
    front_matter, body = read(page)

    assert isinstance(front_matter["title"], str)
    assert type(front_matter["updated"]) is date
    assert f"# {front_matter['title']}\n" in body


@pytest.mark.parametrize("page", PAGES)
def test_exactly_the_leadership_pages_carry_an_audience(page: str) -> None:
    front_matter, _ = read(page)

    expected = ["slack_channel:C0LEADS"] if is_private(page) else None
    assert front_matter.get("audience") == expected


@pytest.mark.parametrize("question", ANSWERED, ids=lambda question: question["question"])
def test_answer_stands_in_one_line_of_its_page(question: dict[str, Any]) -> None:
    _, body = read(question["page"])

    answers = question["answer_contains"]
    assert answers
    assert any(all(answer in line for answer in answers) for line in body.splitlines())


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["question"])
def test_kind_agrees_with_page(question: dict[str, Any]) -> None:
    page = question["page"]

    assert (question["kind"] == "unanswerable") == (page is None)
    assert (question["kind"] == "private") == (page is not None and is_private(page))
    if page is None:
        assert question["answer_contains"] == []


def test_private_answers_stand_on_no_public_page() -> None:
    public = {page: read(page)[1].lower() for page in PAGES if not is_private(page)}
    secrets = [
        answer
        for question in QUESTIONS
        if question["kind"] == "private"
        for answer in question["answer_contains"]
    ]

    leaks = [(page, s) for page, body in public.items() for s in secrets if s.lower() in body]
    assert secrets
    assert leaks == []


@pytest.mark.parametrize(("answer", "outdated_page", "outdated"), CONTRADICTIONS)
def test_contradicted_answer_is_the_newer_one(
    answer: str, outdated_page: str, outdated: str
) -> None:
    [question] = [
        question
        for question in QUESTIONS
        if question["kind"] == "contradiction" and question["answer_contains"] == [answer]
    ]
    front_matter, body = read(question["page"])
    outdated_front_matter, outdated_body = read(outdated_page)

    assert front_matter["updated"] > outdated_front_matter["updated"]
    assert outdated in outdated_body
    assert outdated not in body
    assert answer not in outdated_body


def test_every_contradiction_has_an_outdated_side() -> None:
    asked = [
        answer
        for question in QUESTIONS
        if question["kind"] == "contradiction"
        for answer in question["answer_contains"]
    ]

    assert sorted(asked) == sorted(answer for answer, _, _ in CONTRADICTIONS)


def test_questions_are_distinct_and_cover_every_kind() -> None:
    kinds = Counter(question["kind"] for question in QUESTIONS)

    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)
    assert kinds["unanswerable"] >= 20
    assert kinds["private"] == 4
    assert sum(kinds[kind] for kind in ("fact", "howto", "identifier", "contradiction")) >= 40
