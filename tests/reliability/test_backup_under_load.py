"""A backup taken while the real bot answers, restored elsewhere: every question, one answer."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from bot.bootstrap.demo import SAMPLE
from bot.domain.settings import Settings
from bot.operations.backup import back_up
from bot.records.answers import Answers
from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.records.inspection import check_sqlite
from bot.records.tables import AnswerRow, QuestionRow
from bot.records.turns import Turns
from bot.slack.replies.thread import holds_reply_to
from bot.workspace import Workspace
from tests.reliability.conftest import lorebot
from tests.scenarios.conftest import ALICE, BOB, BOT, HELP, finished, replies, workspace
from tests.scenarios.test_crash import running
from tests.scenarios.test_order import asks_twice
from tests.services.bot_process import bot_environment

__all__ = ["workspace"]

QUESTIONS = 24
ABOUT = (
    "How much may I spend on meals per day when I travel?",
    "How many days of paid leave do I have?",
    "How do I report a stolen laptop?",
)


@pytest.fixture
def environment(workspace: Workspace, cache_dir: Path, tmp_path: Path) -> dict[str, str]:
    """For a bot with the sample handbook, which keeps its records in a file."""
    environment = bot_environment(workspace, tmp_path, SAMPLE)
    return environment | {"LOREBOT_CACHE_DIR": str(cache_dir)}


def asked_at_once(workspace: Workspace) -> list[str]:
    """Threads of their own, and every fourth question in the thread of the one before."""
    threads: list[str] = []
    for number in range(QUESTIONS):
        person = (ALICE, BOB)[number % 2]
        thread = threads[-1] if number % 4 == 3 else ""
        text = f"{BOT} {ABOUT[number % len(ABOUT)]}"
        ts = workspace.post(person, HELP, text, thread_ts=thread or None)
        if not thread:
            threads.append(ts)
    return threads


def answered(workspace: Workspace, threads: list[str]) -> int:
    return sum(finished(one) for ts in threads for one in replies(workspace, HELP, ts))


@pytest.mark.parametrize("goes_on", [False, True], ids=["dies at once", "goes on for a while"])
def test_backup_during_load_restores_to_one_answer_a_question(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path, goes_on: bool
) -> None:
    archive = tmp_path / "kept.zip"
    with running(environment, workspace) as bot:
        threads = asked_at_once(workspace)
        workspace.wait_for(lambda: answered(workspace, threads) >= 3, timeout=60)
        back_up(Settings(data_dir=tmp_path / "data"), archive)
        if goes_on:
            workspace.wait_for(lambda: answered(workspace, threads) == QUESTIONS, timeout=120)
        bot.send_signal(signal.SIGKILL)
        workspace.wait_for(lambda: not workspace.bot_connected)

    elsewhere = environment | {"LOREBOT_DATA_DIR": str(tmp_path / "elsewhere")}
    said = lorebot(elsewhere, "restore", str(archive))
    for file in ("records.sqlite", "jobs.sqlite"):
        check_sqlite(tmp_path / "elsewhere" / file)
    with closing(Database(f"sqlite:///{tmp_path}/elsewhere/records.sqlite")) as database:
        waiting = len(Turns(database).unfinished())
        assert f"{waiting} questions are answered at the next start" in said
        assert waiting > 0, "the backup came too late to tell anything"
        with running(elsewhere, workspace):
            workspace.wait_for(lambda: not Turns(database).unfinished(), timeout=120)
        assert_one_answer_each(workspace, database)


def test_question_whose_answer_came_after_the_backup_is_not_answered_twice(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    """Kept but not begun when the backup was taken, because it waited for its turn."""
    archive = tmp_path / "kept.zip"
    with running(environment, workspace) as bot:
        thread = asks_twice(workspace)
        workspace.wait_for(lambda: kept_questions(tmp_path / "data") == 2, timeout=60)
        back_up(Settings(data_dir=tmp_path / "data"), archive)
        workspace.wait_for(
            lambda: sum(map(finished, replies(workspace, HELP, thread))) == 2, timeout=120
        )
        bot.send_signal(signal.SIGKILL)
        workspace.wait_for(lambda: not workspace.bot_connected)
    elsewhere = environment | {"LOREBOT_DATA_DIR": str(tmp_path / "elsewhere")}
    lorebot(elsewhere, "restore", str(archive))
    with closing(Database(f"sqlite:///{tmp_path}/elsewhere/records.sqlite")) as database:
        assert Turns(database).unfinished()
        with running(elsewhere, workspace):
            workspace.wait_for(lambda: not Turns(database).unfinished(), timeout=120)
        assert_one_answer_each(workspace, database)
    assert len(replies(workspace, HELP, thread)) == 2


def test_overheard_question_is_not_answered_twice_either(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nobody mentioned the bot, which answers everything here; brought back to the backup's
    moment by hand."""
    with closing(Database(f"sqlite:///{tmp_path}/data/records.sqlite")) as database:
        Channels(database).save(ChannelSettings(HELP, auto_answer=True))
        with running(environment, workspace) as bot:
            ts = workspace.post(ALICE, HELP, ABOUT[0])
            workspace.wait_for(lambda: any(map(finished, replies(workspace, HELP, ts))), timeout=60)
            bot.send_signal(signal.SIGKILL)
            workspace.wait_for(lambda: not workspace.bot_connected)
        with database.session() as session:
            session.execute(delete(AnswerRow))
            session.execute(
                update(QuestionRow).values(finished_at=None, begun_at=None, reply_ts=None)
            )
        Answers(database).look_for_earlier_replies()
        for file in (tmp_path / "data").glob("jobs.sqlite*"):
            file.unlink()
        with running(environment, workspace):
            workspace.wait_for(lambda: not Turns(database).unfinished(), timeout=120)
        assert_one_answer_each(workspace, database)


def kept_questions(data: Path) -> int:
    with closing(Database(f"sqlite:///{data}/records.sqlite")) as database:
        return len(Turns(database).unfinished())


def assert_one_answer_each(workspace: Workspace, database: Database) -> None:
    with database.reading() as session:
        kept = list(session.scalars(select(QuestionRow)))
        answers = Counter(session.scalars(select(AnswerRow.question_id)))
    assert {row.id: answers[row.id] for row in kept} == {row.id: 1 for row in kept}
    for row in kept:
        shown = replies(workspace, HELP, row.thread)
        (reply,) = [one for one in shown if holds_reply_to(one, row.id)]
        assert reply["ts"] == row.reply_ts
        assert finished(reply)
