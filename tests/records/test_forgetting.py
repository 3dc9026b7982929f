"""A forgotten person is on no list and in no thread; what admins did stays written down."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.domain.errors import QuestionForgotten
from bot.records.answers import Answers
from bot.records.audit import Act, Audit
from bot.records.channels import Channels, ChannelSettings, People
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.suppression_list import Forgotten, Kind
from bot.records.tables import EscalationRow, ForgottenRow, MutedThreadRow
from bot.records.threads import Escalation, Escalations, Threads
from tests.records.test_records import ASKED, PASSAGE, answer_to

GONE, STAYS = "U5GONE", "U6STAYS"


def escalated(database: Database) -> str:
    """An answer about which both people were called."""
    answers = Answers(database)
    answers.ask(ASKED)
    answer_id = answers.save(answer_to(ASKED))
    asked_by = ASKED.asker
    Escalations(database).begin(Escalation(answer_id, "C1", "1.5", asked_by, (GONE, STAYS)))
    return answer_id


def test_nobody_calls_a_forgotten_person(database: Database) -> None:
    answer_id = escalated(database)
    channels = Channels(database)
    channels.save(ChannelSettings("C1", auto_answer=True, owners=(GONE, STAYS), language="de"))
    channels.save(ChannelSettings("C2", owners=(GONE,)))
    Forgetting(database).person(GONE)
    assert channels.of("C1") == ChannelSettings("C1", True, (STAYS,), "de")
    assert channels.of("C2") == ChannelSettings("C2")
    called = Escalations(database).find(answer_id)
    assert called is not None
    assert called.owners == (STAYS,)


def test_what_a_forgotten_person_has_replied_to_stays_replied_to(database: Database) -> None:
    answer_id = escalated(database)
    Escalations(database).replied(answer_id, GONE)
    Forgetting(database).person(GONE)
    assert Escalations(database).waiting("C1", "1.5") == []
    with database.session() as session:
        assert session.get_one(EscalationRow, answer_id).answered_by == ""


def test_a_thread_that_a_forgotten_person_muted_stays_muted(database: Database) -> None:
    Answers(database).ask(ASKED)
    Answers(database).save(answer_to(ASKED))
    threads = Threads(database)
    threads.mute(ASKED.channel, ASKED.thread, GONE)
    Forgetting(database).person(GONE)
    assert not threads.is_engaged(ASKED.channel, ASKED.thread)
    with database.session() as session:
        row = session.get_one(MutedThreadRow, (ASKED.channel, ASKED.thread))
        assert row.muted_by == ""


def test_words_of_theirs_leave_the_follow_ups_of_others(database: Database) -> None:
    """Also where they stood in a thread of somebody else: who had said them is not kept."""
    answers, words = Answers(database), "Is my leave paid while I am in hospital?"
    kept = []
    for thread, asker in (("1.5", GONE), ("1.5", STAYS), ("7.5", STAYS)):
        asked = replace(ASKED, id=f"C1:{thread}{asker}", thread=thread, asker=asker)
        answers.ask(asked)
        searched = f"{words}\nAnd how long?" if asker == STAYS else ""
        kept.append(answers.save(replace(answer_to(asked), searched=searched)))
    Forgetting(database).person(GONE)
    assert answers.answer(kept[0]) is None
    for answer_id in kept[1:]:
        answer = answers.answer(answer_id)
        assert answer is not None
        assert answer.searched == ""
        assert answer.text


def test_words_of_a_forgotten_document_leave_the_follow_ups_in_its_threads(
    database: Database,
) -> None:
    answers = Answers(database)
    kept = []
    for thread, passages in (("1.5", (PASSAGE,)), ("1.5", ()), ("7.5", ())):
        asked = replace(ASKED, id=f"C1:{thread}{len(kept)}", thread=thread)
        answers.ask(asked)
        kept.append(
            answers.save(
                replace(
                    answer_to(asked),
                    passages=passages,
                    citations=(),
                    nearest=(),
                    searched="Is the limit of 45 EUR also for hotels?",
                )
            )
        )
    assert Forgetting(database).document(PASSAGE.chunk.document_id) == 1
    searched = [answer.searched for one in kept if (answer := answers.answer(one))]
    assert searched == ["", "Is the limit of 45 EUR also for hotels?"]


def test_who_was_forgotten_is_in_no_act_of_others(database: Database) -> None:
    audit, forgetting = Audit(database), Forgetting(database)
    audit.note(Act("U1ADMIN", "forget", f"person <@{GONE}|jane.doe>"))
    audit.note(Act("U1ADMIN", "settings", f"owner {GONE}2"))
    forgetting.person(GONE)
    audit.note(Act("U1ADMIN", "forget person", GONE))
    assert audit.newest()[1].subject == f"owner {GONE}2"  # somebody else
    told = [act.subject for act in audit.newest()]
    told.pop(1)
    assert GONE not in " ".join(told)
    assert "jane" not in " ".join(told)
    assert len({subject.rpartition("forgotten-")[2].rstrip(">") for subject in told}) == 1
    assert "forgotten-" in told[0]


def test_a_question_that_was_forgotten_while_it_was_answered_is_not_kept(
    database: Database,
) -> None:
    answers = Answers(database)
    answers.ask(ASKED)
    Forgetting(database).person(ASKED.asker)
    with pytest.raises(QuestionForgotten):
        answers.save(answer_to(ASKED))
    with pytest.raises(QuestionForgotten):
        answers.asked(ASKED.id)
    answers.reply_posted(ASKED.id, "2.5")


def test_what_they_chose_after_they_were_forgotten_stays(database: Database) -> None:
    people, channels, forgetting = People(database), Channels(database), Forgetting(database)
    forgetting.person(GONE)
    people.choose_language(GONE, "de")
    channels.save(ChannelSettings("C1", owners=(GONE,)))
    with database.session() as session:
        kept = [
            Forgotten(Kind.PERSON, row.digest, row.at)
            for row in session.scalars(select(ForgottenRow))
        ]
    forgetting.again(kept)
    assert (people.language(GONE), channels.of("C1").owners) == ("de", (GONE,))
    forgetting.again([replace(one, at=one.at + timedelta(seconds=1)) for one in kept])
    assert (people.language(GONE), channels.of("C1").owners) == ("", ())


def test_the_account_of_what_an_admin_did_stays(database: Database) -> None:
    audit = Audit(database)
    audit.note(Act(GONE, "models use", "next"))
    Forgetting(database).person(GONE)
    assert [(act.actor, act.action) for act in audit.newest()] == [(GONE, "models use")]
