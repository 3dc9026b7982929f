"""What is older than the settings allow goes; what is not answered, or still young, stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.domain.settings import RetentionTable
from bot.domain.values import Asked, Correction, Thumb, Vote
from bot.records.answers import Answers
from bot.records.audit import Act, Audit
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.records.reindexes import Reindexes
from bot.records.retention import Expired, Retention
from bot.records.tables import AnswerRow, AuditRow, PassageRow, QuestionRow, VoteRow
from bot.records.threads import Threads
from bot.records.turns import Turns
from tests.records.test_records import answer_to

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOTHING = Expired()


def asked(database: Database, name: str, days_ago: int, *, answered: bool = True) -> str:
    """A question of so many days ago; returns its answer's id, "" without one."""
    question = Asked(f"C1:{name}", f"Ev{name}", "C1", name, "U1", "How much?")
    answers = Answers(database)
    answers.ask(question)
    with database.session() as session:
        session.execute(
            update(QuestionRow)
            .where(QuestionRow.id == question.id)
            .values(asked_at=NOW - timedelta(days=days_ago))
        )
    if not answered:
        return ""
    answer_id = answers.save(answer_to(question))
    Turns(database).end(question.id)
    return answer_id


def kept(database: Database) -> set[str]:
    with database.reading() as session:
        return {one.removeprefix("C1:") for one in session.scalars(select(QuestionRow.id))}


def test_nothing_goes_where_nothing_is_set(database: Database) -> None:
    asked(database, "1.0", days_ago=9_000)
    assert Retention(database, RetentionTable()).delete(NOW) == NOTHING
    assert kept(database) == {"1.0"}


def test_old_questions_go_with_their_answers_passages_and_votes(database: Database) -> None:
    old, _ = asked(database, "1.0", days_ago=91), asked(database, "2.0", days_ago=89)
    Votes(database).cast(Vote(old, "U2", Thumb.UP))
    retention = Retention(database, RetentionTable(answers_days=90))
    assert retention.expired(NOW) == retention.delete(NOW) == Expired(questions=1)
    assert kept(database) == {"2.0"}
    with database.reading() as session:
        assert session.scalar(select(VoteRow.voter)) is None
        assert len(set(session.scalars(select(PassageRow.answer_id)))) == 1
    assert retention.delete(NOW) == NOTHING


def test_question_that_is_not_answered_yet_stays(database: Database) -> None:
    asked(database, "1.0", days_ago=500, answered=False)
    assert Retention(database, RetentionTable(answers_days=1)).delete(NOW) == NOTHING


@pytest.mark.parametrize(
    ("judged_days", "stays"),
    [(None, set()), (0, {"1.0", "2.0"}), (300, {"2.0"}), (100, set())],
)
def test_what_people_judged_may_stay_longer(
    database: Database, judged_days: int | None, stays: set[str]
) -> None:
    """0 keeps it for ever; without a setting of its own it follows the rule for all."""
    voted = asked(database, "1.0", days_ago=400)
    corrected = asked(database, "2.0", days_ago=200)
    asked(database, "3.0", days_ago=200)
    Votes(database).cast(Vote(voted, "U2", Thumb.UP))
    Corrections(database).give(Correction(corrected, "U2", "30 EUR", may_learn=True))
    table = RetentionTable(answers_days=90, judged_days=judged_days)
    Retention(database, table).delete(NOW)
    assert kept(database) == stays


def test_judged_answers_may_go_earlier_than_the_others(database: Database) -> None:
    voted = asked(database, "1.0", days_ago=20)
    asked(database, "2.0", days_ago=20)
    Votes(database).cast(Vote(voted, "U2", Thumb.DOWN))
    Retention(database, RetentionTable(judged_days=10)).delete(NOW)
    assert kept(database) == {"2.0"}


def test_old_acts_and_ended_reindexes_go_and_running_ones_stay(database: Database) -> None:
    audit, reindexes = Audit(database), Reindexes(database)
    audit.note(Act("U1", "reindex", at=NOW - timedelta(days=400)))
    audit.note(Act("U1", "models use", at=NOW - timedelta(days=300)))
    ended = reindexes.begin("all", "", dry_run=False, asked_by="U1")
    reindexes.end(ended.id)
    running = reindexes.begin("all", "", dry_run=False, asked_by="U1")
    in_a_year = datetime.now(UTC) + timedelta(days=366)
    table = RetentionTable(audit_days=365)
    assert Retention(database, table).delete(NOW) == Expired(acts=1)
    assert Retention(database, table).delete(in_a_year).reindexes == 1
    assert reindexes.running() == running
    with database.reading() as session:
        assert session.scalars(select(AuditRow)).all() == []


def test_muted_threads_go_with_what_was_said_in_them(database: Database) -> None:
    Threads(database).mute("C1", "1.0", "U1")
    table = RetentionTable(answers_days=90)
    later = datetime.now(UTC) + timedelta(days=91)
    assert Retention(database, table).expired(NOW) == NOTHING
    assert Retention(database, table).delete(later) == Expired(muted_threads=1)


def test_more_than_a_batch_goes(database: Database) -> None:
    with database.session() as session:
        for number in range(450):
            session.add(
                AuditRow(
                    at=NOW - timedelta(days=2), actor="U1", action=str(number), subject="",
                    outcome="done",
                )
            )  # fmt: skip
    assert Retention(database, RetentionTable(audit_days=1)).delete(NOW) == Expired(acts=450)


def test_answers_of_others_are_untouched_in_every_column(database: Database) -> None:
    asked(database, "1.0", days_ago=200)
    stays = asked(database, "2.0", days_ago=1)
    before = Answers(database).answer(stays)
    Retention(database, RetentionTable(answers_days=90)).delete(NOW)
    assert Answers(database).answer(stays) == before
    with database.reading() as session:
        assert session.scalars(select(AnswerRow.id)).all() == [stays]
