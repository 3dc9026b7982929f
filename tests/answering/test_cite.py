from bot.answering.cite import Numbering, marks, renumbered, with_marks, without_marks
from tests.answering.samples import LEAVE, MEALS


def test_marks_are_read_in_every_usual_form() -> None:
    assert marks("A [1] b [2, 3]. C [1][4]") == (1, 2, 3, 4)
    assert marks("no [x] marks [123]") == ()


def test_marks_are_put_behind_the_sentence_once() -> None:
    assert with_marks("45 EUR [2].", (1,)) == "45 EUR. [1]"
    assert without_marks("45 EUR [1][2] a day.") == "45 EUR a day."


def test_passages_are_numbered_in_the_order_of_their_first_use() -> None:
    numbering = Numbering()
    assert [numbering.number(p) for p in (LEAVE, MEALS, LEAVE)] == [1, 2, 1]
    assert [(c.number, c.passage) for c in numbering.citations] == [(1, LEAVE), (2, MEALS)]


def test_marks_get_other_numbers_and_those_without_one_go() -> None:
    now = {1: 4, 2: 3}
    assert (
        renumbered("One [1, 2]. Two [0]. Three [2][9].", now.get) == "One [3][4]. Two. Three [3]."
    )


def test_what_is_no_mark_keeps_its_numbers() -> None:
    assert renumbered("In [2024] and [a1].", {}.get) == "In [2024] and [a1]."
