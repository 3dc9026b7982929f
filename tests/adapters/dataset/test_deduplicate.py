from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dataset.deduplicate import SimilarTexts, normalised, similarity

SENTENCES = st.lists(
    st.sampled_from("how many days of paid leave do newcomers get a year".split()),
    min_size=1,
    max_size=12,
).map(" ".join)


def test_case_marks_and_accents_composed_or_not_make_no_difference() -> None:
    assert similarity("How many days, please?", "how many DAYS please") == 1.0
    assert normalised("Cafe\u0301 — Zürich!") == "café zürich"


def test_small_changes_are_similar_and_other_questions_are_not() -> None:
    asked = "How many days of paid leave do newcomers get every year?"
    assert similarity(asked, "how many days of paid leave do newcomers get each year") > 0.7
    assert similarity(asked, "Who repairs the printer on the second floor?") < 0.1


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(SENTENCES, max_size=12),
    asked=SENTENCES,
    threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]),
)
def test_exactly_those_are_found_that_comparing_all_pairs_finds(
    texts: list[str], asked: str, threshold: float
) -> None:
    known = SimilarTexts(threshold)
    for text in texts:
        known.add(text)
    assert (asked in known) is any(similarity(asked, text) >= threshold for text in texts)
