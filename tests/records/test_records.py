from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import (
    DisconnectionError,
    InvalidRequestError,
    NoResultFound,
    SQLAlchemyError,
)
from sqlalchemy.orm.exc import StaleDataError

from bot.domain.errors import RecordsError
from bot.domain.values import (
    Answer,
    Asked,
    Citation,
    Ending,
    Question,
    Reflection,
    Thumb,
    Versions,
    Vote,
)
from bot.records.answers import Answers, Reply
from bot.records.database import Database, migrate
from bot.records.engine import open_engine
from bot.records.feedback import Votes
from bot.records.tables import Base
from bot.slack.connection.calls import temporary
from indexer.documents import Audience, Chunk, Passage

ASKED = Asked("C1:1.5", "Ev1", "C1", "1.5", "U1", "How much?")
PASSAGE = Passage(
    chunk=Chunk("handbook:expenses.md", 3, "Meals: 45 EUR.", ("Meals", "Limits")),
    title="Expenses",
    audience=Audience.of("public"),
    score=0.9,
    similarity=0.8,
    lexical=1.0,
    url="https://handbook.example.com/expenses",
    modified=datetime(2026, 3, 1, tzinfo=UTC),
)
OTHER = Passage(
    Chunk("handbook:travel.md", 0, "30 EUR."), "Travel", Audience.of("public"), 0.5, 0.5, 0.0
)


def answer_to(asked: Asked, text: str = "45 EUR [1]") -> Answer:
    return Answer(
        question=Question(
            asked.id,
            asked.text,
            Audience.of("public", "slack_channel:C1"),
            asked.asker,
            asked.channel,
            asked.thread,
        ),
        text=text,
        ending=Ending.QUOTED,
        versions=Versions(prompt="1", model="", embedder="minilm@53aa"),
        citations=(Citation(1, PASSAGE),),
        passages=(PASSAGE, OTHER),
        reflections=(Reflection("relevant", PASSAGE.chunk.id, 0.91),),
        seconds={"retrieve": 0.01},
    )


@pytest.fixture
def answers(database: Database) -> Answers:
    return Answers(database)


def test_an_answer_comes_back_as_it_was_given(answers: Answers) -> None:
    answers.ask(ASKED)
    given = answer_to(ASKED)
    assert answers.answer(answers.save(given)) == given


def test_a_question_asked_again_is_kept_once(answers: Answers) -> None:
    answers.ask(ASKED)
    answers.ask(ASKED)
    assert answers.asked(ASKED.id) == ASKED


def test_the_first_answer_to_a_question_stays_its_only_one(answers: Answers) -> None:
    answers.ask(ASKED)
    first = answers.save(answer_to(ASKED))
    assert answers.save(answer_to(ASKED, "something else")) == first
    assert answers.find(ASKED.id) == first
    stored = answers.answer(first)
    assert stored
    assert stored.text == "45 EUR [1]"


def test_a_reply_is_known_to_have_been_attempted_before_it_is_known_where(
    answers: Answers,
) -> None:
    answers.ask(ASKED)
    assert answers.begin_reply(ASKED.id) == Reply(attempted=False, ts="")
    assert answers.begin_reply(ASKED.id) == Reply(attempted=True, ts="")
    answers.reply_posted(ASKED.id, "2.5")
    assert answers.begin_reply(ASKED.id) == Reply(attempted=True, ts="2.5")


def test_the_last_vote_of_a_person_wins(database: Database, answers: Answers) -> None:
    answers.ask(ASKED)
    answer_id = answers.save(answer_to(ASKED))
    votes = Votes(database)
    assert votes.cast(Vote(answer_id, "U1", Thumb.UP))
    assert votes.cast(Vote(answer_id, "U2", Thumb.UP))
    assert votes.cast(Vote(answer_id, "U1", Thumb.DOWN))
    assert {vote.voter: vote.thumb for vote in votes.of(answer_id)} == {
        "U1": Thumb.DOWN,
        "U2": Thumb.UP,
    }


def test_a_vote_on_no_answer_of_ours_is_refused(database: Database) -> None:
    assert not Votes(database).cast(Vote("unknown", "U1", Thumb.UP))


def test_of_simultaneous_votes_of_one_person_the_newest_is_left(
    database: Database, answers: Answers
) -> None:
    answers.ask(ASKED)
    votes, answer_id = Votes(database), answers.save(answer_to(ASKED))
    cast = [Vote(answer_id, "U1", thumb) for thumb in (Thumb.UP, Thumb.DOWN) * 8]
    threads = [Thread(target=votes.cast, args=(vote,)) for vote in reversed(cast)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert votes.of(answer_id) == [cast[-1]]


def test_what_is_told_late_or_again_changes_no_vote(database: Database, answers: Answers) -> None:
    answers.ask(ASKED)
    votes, answer_id = Votes(database), answers.save(answer_to(ASKED))
    first, second, third = (datetime(2026, 11, 20, 12, minute, tzinfo=UTC) for minute in range(3))
    up, down = (Vote(answer_id, "U1", thumb, first) for thumb in (Thumb.UP, Thumb.DOWN))
    assert votes.cast(up)
    assert not votes.cast(up)
    assert votes.withdraw(answer_id, "U1", at=second)
    assert not votes.cast(up)
    assert votes.of(answer_id) == []
    assert votes.cast(replace(down, cast_at=third))
    assert not votes.withdraw(answer_id, "U1", at=second)
    assert [vote.thumb for vote in votes.of(answer_id)] == [Thumb.DOWN]


def test_a_vote_taken_back_before_it_is_told_of_is_not_kept(
    database: Database, answers: Answers
) -> None:
    answers.ask(ASKED)
    votes, answer_id = Votes(database), answers.save(answer_to(ASKED))
    vote = Vote(answer_id, "U1", Thumb.UP)
    votes.withdraw(answer_id, "U1", at=datetime.now(UTC))
    assert not votes.cast(vote)
    assert votes.of(answer_id) == []


def test_migrations_lead_to_exactly_the_tables_in_the_code(database: Database) -> None:
    with database.session() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_opening_again_keeps_what_was_recorded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    first = Database(url)
    Answers(first).ask(ASKED)
    first.close()
    second = Database(url)
    assert Answers(second).asked(ASKED.id) == ASKED
    second.close()


@pytest.mark.parametrize(
    ("url", "hint"),
    [("nonsense", "postgresql+psycopg://"), ("sqlite:////proc/none/records.sqlite", "SQLite")],
)
def test_an_unusable_address_is_explained(url: str, hint: str) -> None:
    with pytest.raises(RecordsError, match="url") as caught:
        Database(url)
    assert hint in str(caught.value)


def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    path.write_text("my shopping list " * 100)
    with pytest.raises(RecordsError, match="nothing was changed"):
        Database(f"sqlite:///{path}")
    assert path.read_text() == "my shopping list " * 100


@pytest.mark.parametrize("error", [DisconnectionError("gone"), StaleDataError("0 were matched")])
def test_what_the_database_does_is_worth_another_try(
    database: Database, error: SQLAlchemyError
) -> None:
    with pytest.raises(RecordsError, match="could not be read") as caught, database.session():
        raise error
    assert temporary(caught.value)


@pytest.mark.parametrize("error", [NoResultFound("no row"), InvalidRequestError("a mistake")])
def test_a_mistake_of_ours_stays_what_it_is(database: Database, error: SQLAlchemyError) -> None:
    with pytest.raises(type(error)), database.session():
        raise error


def test_records_that_too_many_read_at_once_are_worth_another_try(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database._engine.pool, "_timeout", 0.1)  # half a minute otherwise

    def crowd() -> None:
        with ExitStack() as readers:
            for _ in range(100):
                readers.enter_context(database.reading()).scalar(text("SELECT 1"))

    with pytest.raises(RecordsError, match="are busy") as caught:
        crowd()
    assert temporary(caught.value)


def test_migrations_keep_every_row(tmp_path: Path) -> None:
    """From the first release on: rebuilding a table would delete what belongs to its rows."""
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    engine = open_engine(url)
    migrate(engine, "0001")
    rows = {
        "questions": {
            "id": "C1:1", "event_id": "Ev1", "channel": "C1", "thread": "1", "asker": "U1",
            "text": "How much?", "is_direct": False, "is_shared": False,
            "asked_at": "2026-11-20 12:00:00", "reply_ts": "2",
        },
        "answers": {
            "id": "a1", "question_id": "C1:1", "text": "45 EUR [1]", "ending": "quoted",
            "audience": "[]", "answered_at": "2026-11-20 12:00:01", "prompt_version": "p",
            "model": "", "adapter": "", "embedder": "e", "seconds": "{}",
        },
        "answer_passages": {
            "answer_id": "a1", "rank": 0, "document_id": "d", "position": 0, "title": "T",
            "headers": "[]", "text": "45 EUR", "url": "", "audience": "[]", "score": 1,
            "similarity": 1, "lexical": 1, "nearest": False,
        },
        "reflections": {
            "answer_id": "a1", "position": 0, "kind": "evidence", "subject": "d#0",
            "probability": 0.5,
        },
        "votes": {
            "answer_id": "a1", "voter": "U1", "thumb": "up", "cast_at": "2026-11-20 12:00:02",
        },
    }  # fmt: skip
    with engine.begin() as connection:
        for table, row in rows.items():
            names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)
    migrate(engine)
    with engine.begin() as connection:
        counts = [connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in rows]
    engine.dispose()
    assert counts == [1] * len(rows)
