"""A forgotten person is on no list and in no thread; what admins did stays written down."""

from bot.records.answers import Answers
from bot.records.audit import Act, Audit
from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.thread_tables import EscalationRow, MutedThreadRow
from bot.records.threads import Escalation, Escalations, Threads
from tests.records.test_records import ASKED, answer_to

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


def test_the_account_of_what_an_admin_did_stays(database: Database) -> None:
    audit = Audit(database)
    audit.note(Act(GONE, "models use", "next"))
    Forgetting(database).person(GONE)
    assert [(act.actor, act.action) for act in audit.newest()] == [(GONE, "models use")]
