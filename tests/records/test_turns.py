"""Whose turn it is in a thread, on the real records."""

from dataclasses import replace
from threading import Event, Thread

import pytest
from sqlalchemy import text

from bot.domain.errors import RecordsError
from bot.domain.values import Asked, Occasion
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.turns import Turns

FIRST = Asked("C1:10.000001", "Ev1", "C1", "10.000001", "U1", "How much?", team="T1")
SECOND = replace(FIRST, id="C1:10.000002", event_id="Ev2", asker="U2")
THIRD = replace(FIRST, id="C1:9999999999.000003", event_id="Ev3")
ELSEWHERE = replace(FIRST, id="C1:11.000001", event_id="Ev4", thread="11.000001")
OTHER_CHANNEL = replace(FIRST, id="C2:10.000001", channel="C2")
COMMAND = replace(FIRST, id="command:1.2.a", thread="", occasion=Occasion.COMMAND)


@pytest.fixture
def turns(database: Database) -> Turns:
    return Turns(database)


def keep(database: Database, *asked: Asked) -> None:
    for one in asked:
        assert Answers(database).ask(one)


def test_questions_of_a_thread_have_their_turns_in_the_order_they_were_written(
    database: Database, turns: Turns
) -> None:
    keep(database, THIRD, SECOND, FIRST)
    for expected in (FIRST, SECOND, THIRD):
        assert {turns.begin(one.id) for one in (THIRD, FIRST, SECOND)} == {expected.id}
        assert turns.end(expected.id)
    assert turns.begin(FIRST.id) is None


def test_who_has_the_turn_keeps_it_when_an_earlier_question_comes_late(
    database: Database, turns: Turns
) -> None:
    keep(database, SECOND)
    assert turns.begin(SECOND.id) == SECOND.id
    keep(database, FIRST)
    assert turns.begin(FIRST.id) == SECOND.id
    turns.end(SECOND.id)
    assert turns.begin(SECOND.id) == FIRST.id


def test_threads_and_commands_do_not_wait_for_one_another(database: Database, turns: Turns) -> None:
    another = replace(COMMAND, id="command:1.3.b")
    asked = (FIRST, ELSEWHERE, OTHER_CHANNEL, COMMAND, another)
    keep(database, *asked)
    assert [turns.begin(one.id) for one in asked] == [one.id for one in asked]


def test_what_waits_or_has_its_turn_is_unfinished(database: Database, turns: Turns) -> None:
    keep(database, FIRST, SECOND, ELSEWHERE)
    turns.begin(FIRST.id)
    turns.end(ELSEWHERE.id)
    assert [(one.question_id, one.team) for one in turns.unfinished()] == [
        (FIRST.id, "T1"),
        (SECOND.id, "T1"),
    ]


def test_who_waits_for_another_stands_in_its_line(database: Database, turns: Turns) -> None:
    keep(database, FIRST, SECOND, ELSEWHERE, COMMAND, replace(COMMAND, id="command:1.3.b"))
    first, second, *others = (one.line for one in turns.unfinished())
    assert first == second
    assert len({first, *others}) == 4


def test_a_forgotten_question_has_no_turn_and_holds_nobody_up(
    database: Database, turns: Turns
) -> None:
    keep(database, FIRST, SECOND)
    turns.begin(FIRST.id)
    Forgetting(database).person("U1")
    assert turns.begin(FIRST.id) is None
    assert not turns.end(FIRST.id)
    assert turns.begin(SECOND.id) == SECOND.id


def test_reading_waits_for_no_writer(database: Database) -> None:
    keep(database, FIRST)
    read, done = Event(), Event()

    def reader() -> None:
        Answers(database).asked(FIRST.id)
        read.set()

    def writer() -> None:
        with database.session() as session:
            session.execute(text("UPDATE questions SET text = 'x'"))
            Thread(target=reader).start()
            assert read.wait(30)
        done.set()

    Thread(target=writer).start()
    assert done.wait(40)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_is_written_while_reading(database: Database) -> None:
    keep(database, FIRST)
    with pytest.raises(RecordsError, match="readonly"), database.reading() as session:
        session.execute(text("UPDATE questions SET text = 'x'"))
    with database.session() as session:
        session.execute(text("UPDATE questions SET text = 'y'"))
    assert Answers(database).asked(FIRST.id).text == "y"
