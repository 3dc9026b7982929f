import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answering.sentences import Sentence, joined, whole_sentences


def read(text: str, size: int = 3) -> list[Sentence]:
    return list(whole_sentences(text[at : at + size] for at in range(0, len(text), size)))


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_sentences_do_not_depend_on_how_the_text_came(size: int) -> None:
    answer = "Meals: 45 EUR [1]. Keep receipts. [2] Done [1]\n- one [1]\n- two [2]"
    assert [one.text for one in read(answer, size)] == [
        "Meals: 45 EUR. [1]",
        "Keep receipts. [2]",
        "Done [1]",
        "- one [1]",
        "- two [2]",
    ]


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_so_far_is_verbatim_to_the_end_of_the_sentence_with_its_marks(size: int) -> None:
    answer = "Meals: 45 EUR [1]. Keep  receipts. [2] Done [1]\n- one [1]"
    assert [one.so_far for one in read(answer, size)] == [
        "Meals: 45 EUR [1].",
        "Meals: 45 EUR [1]. Keep  receipts. [2]",
        "Meals: 45 EUR [1]. Keep  receipts. [2] Done [1]",
        answer,
    ]


@given(st.text(alphabet="ab .!?[1]\n-", max_size=60), st.integers(1, 7))
def test_so_far_only_grows_and_is_always_what_was_written(text: str, size: int) -> None:
    ends = [one.so_far for one in read(text, size)]
    assert all(text.startswith(end) for end in ends)
    assert ends == sorted(ends, key=len)


def test_list_items_are_joined_by_lines_and_sentences_by_blanks() -> None:
    assert joined(["One. [1]", "Two. [2]", "- three [1]"]) == "One. [1] Two. [2]\n- three [1]"


def test_a_claim_has_neither_marks_nor_bullet() -> None:
    assert read("- Keep receipts [1]")[0].claim == "Keep receipts"
