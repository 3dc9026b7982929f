from dataclasses import replace

import pytest

from bot.domain.values import AttachedFile, Occasion, Thumb, Vote
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Votes
from bot.records.forgetting import Forgetting
from bot.records.threads import Escalation, Escalations, Threads
from tests.records.test_records import ASKED, answer_to


@pytest.fixture
def answers(database: Database) -> Answers:
    answers = Answers(database)
    answers.ask(ASKED)
    return answers


@pytest.fixture
def answer_id(answers: Answers) -> str:
    return answers.save(answer_to(ASKED))


def test_how_a_question_was_asked_comes_back(database: Database) -> None:
    answers = Answers(database)
    file = AttachedFile("F1", "a.md", "https://files.slack.com/a", "https://x.slack.com/a", 3)
    asked = replace(
        ASKED,
        team="T1",
        occasion=Occasion.COMMAND,
        response_url="https://hooks.slack.com/1",
        files=(file,),
    )
    assert answers.ask(asked)
    assert not answers.ask(asked)
    assert answers.asked(asked.id) == asked
    refused = replace(file, refusal="file_kind")
    answers.note_files(asked.id, (refused,))
    assert answers.asked(asked.id).files == (refused,)


def test_only_a_message_has_a_timestamp() -> None:
    assert ASKED.ts == "1.5"
    assert replace(ASKED, id="command:17.5.9f").ts == ""
    assert replace(ASKED, id="form:V123").ts == ""


def test_an_answer_is_found_by_its_message(answers: Answers, answer_id: str) -> None:
    answers.reply_posted(ASKED.id, "2.0")
    assert answers.answered_by("C1", "2.0") == answer_id
    assert answers.answered_by("C2", "2.0") is None
    assert answers.answered_by("C1", "1.5") is None


def test_a_thread_is_engaged_once_something_was_answered_there(
    database: Database, answers: Answers
) -> None:
    threads = Threads(database)
    assert not threads.is_engaged("C1", "1.5")
    answers.save(answer_to(ASKED))
    assert threads.is_engaged("C1", "1.5")
    assert not threads.is_engaged("C1", "1.6")
    assert not threads.is_engaged("C2", "1.5")


def test_a_muted_thread_is_not_engaged_until_it_is_unmuted(
    database: Database, answer_id: str
) -> None:
    threads = Threads(database)
    threads.mute("C1", "1.5", "U1")
    threads.mute("C1", "1.5", "U2")
    assert not threads.is_engaged("C1", "1.5")
    threads.unmute("C1", "1.5")
    threads.unmute("C1", "1.5")
    assert threads.is_engaged("C1", "1.5")


def test_people_are_called_once_and_wait_until_one_has_replied(
    database: Database, answer_id: str
) -> None:
    escalations = Escalations(database)
    escalation = Escalation(answer_id, "C1", "1.5", "U1", ("U2", "U3"))
    assert escalations.begin(escalation)
    assert not escalations.begin(escalation)
    assert not escalations.begin(replace(escalation, answer_id="nothing"))
    assert escalations.find(answer_id) == escalation
    assert escalations.waiting("C1", "1.5") == [escalation]
    assert escalations.waiting("C1", "1.6") == []
    escalations.replied(answer_id, "U2")
    assert escalations.waiting("C1", "1.5") == []


def test_a_forgotten_person_has_called_nobody(database: Database, answer_id: str) -> None:
    escalations, threads = Escalations(database), Threads(database)
    escalations.begin(Escalation(answer_id, "C1", "1.5", "U9", ("U2",)))
    threads.mute("C1", "1.5", "U9")
    Forgetting(database).person("U9")
    assert escalations.find(answer_id) is None
    assert not threads.is_engaged("C1", "1.5")


def test_a_vote_is_withdrawn_as_it_was_cast(database: Database, answer_id: str) -> None:
    votes = Votes(database)
    assert not votes.withdraw(answer_id, "U1")
    votes.cast(Vote(answer_id, "U1", Thumb.UP))
    assert not votes.withdraw(answer_id, "U1", Thumb.DOWN)
    assert votes.withdraw(answer_id, "U1", Thumb.UP)
    assert votes.of(answer_id) == []
