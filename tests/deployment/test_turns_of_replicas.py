"""Turns that two processes on one Postgres give at the same moment."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from bot.domain.values import Asked
from bot.records import turns
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.tables import QuestionRow
from bot.records.turns import Turns

FIRST = Asked("C1:10.000001", "Ev1", "C1", "10.000001", "U1", "How much?", team="T1")
SECOND = replace(FIRST, id="C1:10.000002", event_id="Ev2")


def test_who_waited_for_another_decides_by_what_it_finds_then(
    own_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between this process' two looks another begins the later question, and the earlier comes."""
    look = turns._beside

    def late(session: Session, row: QuestionRow) -> object:
        monkeypatch.setattr(turns, "_beside", look)
        with closing(Database(own_postgres)) as other:
            assert Turns(other).begin(SECOND.id) == SECOND.id
            Answers(other).ask(FIRST)
        return look(session, row)

    with closing(Database(own_postgres)) as database:
        Answers(database).ask(SECOND)
        monkeypatch.setattr(turns, "_beside", late)
        assert Turns(database).begin(SECOND.id) == SECOND.id
