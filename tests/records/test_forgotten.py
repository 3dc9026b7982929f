"""Who was forgotten stays forgotten in records of before; what came after is theirs again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from bot.domain.values import Asked, Correction, Thumb, Vote
from bot.records.answers import Answers
from bot.records.channels import Channels, ChannelSettings, People
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.records.forgetting import Forgetting
from bot.records.suppression_list import Forgotten, Kind, digest_of, forgotten_in
from bot.records.tables import CorrectionRow, QuestionRow, VoteRow
from tests.records.test_records import ASKED, answer_to

GONE, STAYS = "U5GONE", "U6STAYS"


def populated(database: Database) -> str:
    """Both people ask, vote and correct; returns the id of the answer to the one that stays."""
    answers = Answers(database)
    answers.ask(Asked("C1:1.0", "Ev1", "C1", "1.0", GONE, "Mine?"))
    answers.ask(Asked("C1:2.0", "Ev2", "C1", "2.0", STAYS, "Theirs?"))
    answer_id = answers.save(answer_to(answers.asked("C1:2.0")))
    for voter in (GONE, STAYS):
        Votes(database).cast(Vote(answer_id, voter, Thumb.UP))
        Corrections(database).give(Correction(answer_id, voter, "30 EUR"))
    Channels(database).save(ChannelSettings("C1", owners=(GONE, STAYS)))
    People(database).choose_language(GONE, "de")
    return answer_id


def told_of(database: Database) -> set[str]:
    with database.reading() as session:
        return {
            *session.scalars(select(QuestionRow.asker)),
            *session.scalars(select(VoteRow.voter)),
            *session.scalars(select(CorrectionRow.author)),
            *Channels(database).of("C1").owners,
            *([GONE] if People(database).language(GONE) else []),
        }


def on_list(database: Database, user: str, at: datetime) -> Forgotten:
    return Forgotten(Kind.PERSON, digest_of(Kind.PERSON, user), at)


def test_the_list_names_nobody(database: Database) -> None:
    Forgetting(database).person(GONE)
    Forgetting(database).document("handbook:salaries.md")
    with database.reading() as session:
        url = session.get_bind().engine.url.render_as_string(hide_password=False)
    items = forgotten_in(url)
    assert {item.kind for item in items} == set(Kind)
    assert GONE not in str(items)
    assert "salaries" not in str(items)


def test_forgotten_person_is_forgotten_again(database: Database) -> None:
    populated(database)
    found = Forgetting(database).again([on_list(database, GONE, datetime.now(UTC))])
    assert found == 1
    assert told_of(database) == {STAYS}
    assert Forgetting(database).again() == 0


def test_what_a_person_did_after_being_forgotten_stays(database: Database) -> None:
    answer_id = populated(database)
    before_all = datetime.now(UTC) - timedelta(hours=1)
    Forgetting(database).again([on_list(database, GONE, before_all)])
    assert Answers(database).asked("C1:1.0").asker == GONE
    assert {vote.voter for vote in Votes(database).of(answer_id)} == {GONE, STAYS}


def test_of_two_moments_on_the_list_the_later_counts(database: Database) -> None:
    populated(database)
    now = datetime.now(UTC)
    early = on_list(database, GONE, now - timedelta(days=9))
    Forgetting(database).again([early, on_list(database, GONE, now), early])
    assert told_of(database) == {STAYS}


def test_forgotten_document_is_forgotten_again(database: Database) -> None:
    Answers(database).ask(ASKED)
    Answers(database).save(answer_to(ASKED))
    shown = Forgotten(
        Kind.DOCUMENT, digest_of(Kind.DOCUMENT, "handbook:travel.md"), datetime.now(UTC)
    )
    assert Forgetting(database).again([shown]) == 1
    assert Answers(database).find(ASKED.id) is None
    assert Answers(database).asked(ASKED.id) == ASKED
