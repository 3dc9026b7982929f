from datetime import UTC, datetime

import pytest

from bot.answering.calibration import FEWEST, Label, fits, labels
from bot.domain.thresholds import Thresholds
from bot.domain.values import (
    Answer,
    Citation,
    Correction,
    Ending,
    Question,
    Reason,
    Reflection,
    Thumb,
    Versions,
    Vote,
)
from bot.records.feedback import Judged
from indexer.documents import Audience
from tests.answering.samples import LEAVE, MEALS

VERSIONS = Versions("p", "m", "e")
MEALS_ID, LEAVE_ID = MEALS.chunk.id, LEAVE.chunk.id


def judged(*thumbs: Thumb, reason: Reason | None = None, ending: Ending = Ending.GENERATED) -> (
    Judged
):  # fmt: skip
    answer = Answer(
        Question("q", "How much?", Audience.of("public")),
        "Meals are 45 EUR. [1]",
        ending,
        VERSIONS,
        citations=(Citation(1, MEALS),),
        passages=(MEALS, LEAVE),
        reflections=(
            Reflection("evidence", MEALS_ID, 0.6),
            Reflection("relevant", MEALS_ID, 0.9),
            Reflection("relevant", LEAVE_ID, 0.1),
            Reflection("supported", "Meals are 45 EUR.", 0.8),
            Reflection("supported", "It rains.", 0.2),
            Reflection("useful", "", 0.7),
        ),
    )
    votes = tuple(Vote("a", f"U{number}", thumb) for number, thumb in enumerate(thumbs))
    corrections = (Correction("a", "U0", reason=reason),) if reason else ()
    return Judged("a", datetime.now(UTC), False, answer, votes, corrections)


def test_a_thumb_up_speaks_for_what_was_cited_and_written() -> None:
    assert set(labels([judged(Thumb.UP)])) == {
        Label("relevant", 0.9, True),
        Label("supported", 0.8, True),
        Label("useful", 0.7, True),
    }


def test_a_thumb_down_is_against_the_sentences_only_where_they_are_called_wrong() -> None:
    assert Label("supported", 0.8, False) not in set(labels([judged(Thumb.DOWN)]))
    assert Label("supported", 0.8, False) in set(labels([judged(Thumb.DOWN, reason=Reason.WRONG)]))


def test_votes_on_quotes_speak_of_the_evidence() -> None:
    quoted = judged(Thumb.DOWN, ending=Ending.QUOTED)
    assert list(labels([quoted])) == [Label("quote", 0.6, False)]


@pytest.mark.parametrize("thumbs", [(), (Thumb.UP, Thumb.DOWN)])
def test_without_agreement_there_is_no_label(thumbs: tuple[Thumb, ...]) -> None:
    assert list(labels([judged(*thumbs)])) == []


def test_a_threshold_is_fitted_between_the_right_and_the_wrong() -> None:
    found = [Label("useful", 0.6 + n / 1000, True) for n in range(40)]
    found += [Label("useful", 0.3 + n / 1000, False) for n in range(40)]
    fit = next(one for one in fits(found, Thresholds()) if one.threshold == "useful")
    assert fit.fitted == pytest.approx((0.339 + 0.6) / 2)
    assert fit.loss_fitted == 0.0
    assert fit.loss_present == 1.0  # 0.1 lets all forty wrong ones through, each counted twice


def test_with_few_labels_a_threshold_is_left_alone() -> None:
    found = [Label("useful", 0.9, True)] * 500 + [Label("useful", 0.1, False)] * (FEWEST - 1)
    assert all(fit.fitted is None for fit in fits(found, Thresholds()))


def test_labels_that_say_nothing_do_not_look_like_a_gain() -> None:
    found = [Label("useful", n / 100, n % 2 == 0) for n in range(100)]
    fit = next(one for one in fits(found, Thresholds()) if one.threshold == "useful")
    assert fit.loss_fitted >= 0.45
