"""Terms for an index that does not stem by itself."""

import pytest

from indexer.stores.stems import question_terms, terms, whole_term


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
    assert terms(text) == expected


def test_an_identifier_is_the_same_however_it_is_joined() -> None:
    assert whole_term("err-42") == whole_term("ERR_42") == "err_42"


def test_a_question_asks_each_telling_word_once() -> None:
    assert question_terms("What is the policy of the policies?") == ["polici"]
    assert question_terms("to be") == ["to", "be"]
    assert question_terms("?!") == []


def test_endless_words_and_questions_are_cut() -> None:
    assert len(terms("x" * 5000)[0]) == 64
    assert "_" not in "".join(terms("/".join("abcdefghijkl")))
    assert len(question_terms(" ".join(f"word{number}" for number in range(500)))) == 64


def test_a_word_without_letters_has_no_term() -> None:
    assert whole_term("--") == ""
