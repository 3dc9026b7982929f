from dataclasses import replace

import pytest

from bot.domain.values import Correction, CorrectionKind, Reason, Thumb, Vote
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Corrections, Feedback, Votes
from bot.records.forgetting import Forgetting
from tests.records.test_records import ASKED, PASSAGE, answer_to


@pytest.fixture
def answer_id(database: Database) -> str:
    answers = Answers(database)
    answers.ask(ASKED)
    return answers.save(answer_to(ASKED))


def test_a_correction_comes_back_as_it_was_given(database: Database, answer_id: str) -> None:
    given = Correction(
        answer_id, "U2", "46 EUR", Reason.OUTDATED, may_learn=True, kind=CorrectionKind.ESCALATION
    )
    assert Corrections(database).give(given)
    assert Corrections(database).of(answer_id) == [given]


def test_the_last_correction_of_a_person_wins(database: Database, answer_id: str) -> None:
    corrections = Corrections(database)
    first = Correction(answer_id, "U2", "46 EUR", may_learn=True)
    other = Correction(answer_id, "U3", "47 EUR")
    last = Correction(answer_id, "U2", reason=Reason.NOT_FOR_ME)
    for correction in (first, other, last):
        corrections.give(correction)
    assert corrections.of(answer_id) == [other, last]


def test_a_withdrawn_correction_is_gone(database: Database, answer_id: str) -> None:
    corrections = Corrections(database)
    corrections.give(Correction(answer_id, "U2", "46 EUR"))
    assert not corrections.withdraw(answer_id, "U3")
    assert corrections.withdraw(answer_id, "U2")
    assert corrections.of(answer_id) == []


def test_a_correction_of_no_answer_of_ours_is_refused(database: Database) -> None:
    assert not Corrections(database).give(Correction("unknown", "U2", "46 EUR"))


def test_feedback_shows_every_answer_beside_what_was_said_of_it(
    database: Database, answer_id: str
) -> None:
    vote = Vote(answer_id, "U1", Thumb.DOWN)
    correction = Correction(answer_id, "U1", "46 EUR")
    Votes(database).cast(vote)
    Corrections(database).give(correction)
    silent = replace(ASKED, id="D1:2.5", is_direct=True)
    Answers(database).ask(silent)
    Answers(database).save(answer_to(silent))

    first, second = Feedback(database).judged()
    assert (first.votes, first.corrections) == ((vote,), (correction,))
    assert (first.answer, first.is_direct) == (answer_to(ASKED), False)
    assert (second.votes, second.corrections, second.is_direct) == ((), (), True)


def test_a_forgotten_person_leaves_no_question_vote_or_correction(
    database: Database, answer_id: str
) -> None:
    of_another = replace(ASKED, id="C1:2.5", asker="U9")
    Answers(database).ask(of_another)
    theirs = Answers(database).save(answer_to(of_another))
    for answer in (answer_id, theirs):
        for person in ("U1", "U9"):
            Votes(database).cast(Vote(answer, person, Thumb.UP))
            Corrections(database).give(Correction(answer, person, "46 EUR"))

    assert Forgetting(database).person("U1") == 1
    (left,) = Feedback(database).judged()
    assert left.answer.question.asker == "U9"
    assert [vote.voter for vote in left.votes] == ["U9"]
    assert [correction.author for correction in left.corrections] == ["U9"]


def test_a_forgotten_document_takes_the_answers_it_was_shown_for(
    database: Database, answer_id: str
) -> None:
    assert Forgetting(database).document("handbook:unknown.md") == 0
    assert Forgetting(database).document(PASSAGE.chunk.document_id) == 1
    assert list(Feedback(database).judged()) == []
    assert Answers(database).asked(ASKED.id) == ASKED
