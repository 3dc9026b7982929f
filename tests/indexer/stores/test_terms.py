import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.stores.terms import match_expression


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
