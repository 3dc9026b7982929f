import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.stores.terms import index_terms, joined_term, match_expression, query_terms


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("How many days of leave do I get?", '"many" OR "days" OR "leave" OR "get"'),
        ("ERR-4711!", '"err 4711" OR "err" OR "4711"'),
        ("who is it", '"who" OR "is" OR "it"'),
        ('say "hi" OR drop', '"say" OR "hi" OR "drop"'),
        ("leave leave LEAVE", '"leave"'),
        ("?! 🎉", ""),
        ("", ""),
    ],
)
def test_words_become_quoted_terms(question: str, expression: str) -> None:
    assert match_expression(question) == expression


def test_a_very_long_question_is_bounded() -> None:
    assert match_expression(" ".join(f"w{i}" for i in range(5000))).count(" OR ") == 63


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_no_text_breaks_the_query_language(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (x, tokenize = 'porter unicode61')")
    expression = match_expression(text)
    if expression:
        connection.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)).fetchall()
    connection.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Running POLICIES", ["run", "polici"]),
        ("Läve", ["lave"]),
        ("see ERR-42.", ["see", "err", "42", "err_42"]),
        ("foo_bar", ["foo", "bar", "foo_bar"]),
        ("🎉 — ?", []),
        ("", []),
    ],
)
def test_text_becomes_stems_and_joined_identifiers(text: str, expected: list[str]) -> None:
    assert index_terms(text) == expected


def test_an_identifier_is_the_same_however_it_is_joined() -> None:
    assert joined_term("err-42") == joined_term("ERR_42") == "err_42"


def test_a_question_asks_each_telling_word_once() -> None:
    assert query_terms("What is the policy of the policies?") == ["polici"]
    assert query_terms("to be") == ["to", "be"]
    assert query_terms("?!") == []


def test_endless_words_and_questions_are_cut() -> None:
    assert len(index_terms("x" * 5000)[0]) == 64
    assert "_" not in "".join(index_terms("/".join("abcdefghijkl")))
    assert len(query_terms(" ".join(f"word{number}" for number in range(500)))) == 64


def test_a_word_without_letters_has_no_term() -> None:
    assert joined_term("--") == ""
