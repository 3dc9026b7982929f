from bot.answering.words import codes, content_words, identifiers, stems


def test_only_what_a_question_is_about_counts() -> None:
    assert content_words("How much can I spend on meals per day?") == (
        "spend",
        "meals",
        "per",
        "day",
    )


def test_a_question_of_nothing_but_small_words_keeps_them() -> None:
    assert content_words("who are you") == ("who", "are", "you")


def test_forms_of_one_word_share_a_stem() -> None:
    assert stems("refunded meals") == stems("refund meal")


def test_numbers_and_dates_and_names_with_digits_are_identifiers() -> None:
    assert identifiers("INC-2291 cost 45 EUR on 2026-03-01, see v2.3") == {
        "inc-2291", "45", "2026-03-01", "v2.3",
    }  # fmt: skip


def test_codes_have_letters_and_digits() -> None:
    assert codes("INC-2291 cost 45 EUR, error E4017, P1") == {"inc-2291", "e4017"}
