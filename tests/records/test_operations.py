"""Settings of channels and people, the audit log, reindexes, installations and statistics."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select

from bot.domain.errors import BotSettingsError, RecordsError, ReindexRunning
from bot.domain.values import Correction, Ending, Reason, Thumb, Vote
from bot.records.answers import Answers
from bot.records.audit import Act, Audit
from bot.records.channels import Channels, ChannelSettings, People
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.records.installations import (
    Installations,
    Installed,
    OAuthStates,
    TokenCipher,
    new_token_key,
)
from bot.records.reindexes import Reindexes
from bot.records.statistics import Page, Statistics
from bot.records.tables import InstallationRow, OAuthStateRow
from tests.records.test_records import ASKED, PASSAGE, answer_to

INSTALLED = Installed(
    team="T1",
    app="A1",
    bot="B1",
    bot_user="U9",
    scopes=("chat:write", "commands"),
    token="xoxe.xoxb-secret",
    refresh_token="xoxe-secret",
    expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    installed_by="U1",
)


def test_a_channel_nobody_has_set_has_the_defaults(database: Database) -> None:
    channels = Channels(database)
    assert channels.of("C1") == ChannelSettings("C1")
    assert not channels.of("C1").auto_answer
    first = ChannelSettings("C1", True, ("U1",), "de")
    channels.save(first)
    assert channels.of("C1") == first
    channels.save(ChannelSettings("C1", owners=("U2",)))
    assert channels.of("C1") == ChannelSettings("C1", owners=("U2",))


def test_a_person_chooses_a_language_and_is_forgotten(database: Database) -> None:
    people = People(database)
    assert people.language("U1") == ""
    people.choose_language("U1", "de")
    people.choose_language("U1", "fr")
    assert people.language("U1") == "fr"
    people.forget("U1")
    people.forget("U1")
    assert people.language("U1") == ""


def test_acts_are_kept_newest_first_and_cut_not_refused(database: Database) -> None:
    audit = Audit(database)
    for number in range(3):
        audit.note(Act("U1", "reindex", f"source {number}"))
    audit.note(Act("U2", "forget", "x" * 10_000, "failed: " + "y" * 500))
    newest = audit.newest(2)
    assert [act.actor for act in newest] == ["U2", "U1"]
    assert (len(newest[0].subject), len(newest[0].outcome)) == (500, 128)
    assert newest[1].subject == "source 2"
    assert newest[1].at is not None


def test_only_one_reindex_has_the_place_until_it_ends(database: Database) -> None:
    reindexes = Reindexes(database)
    first = reindexes.begin("source", "handbook", dry_run=False, asked_by="U1")
    assert reindexes.running() == first == reindexes.get(first.id)
    with pytest.raises(ReindexRunning, match="running already"):
        reindexes.begin("all", "", dry_run=True, asked_by="U2")
    reindexes.end(first.id)
    reindexes.end(first.id)
    assert reindexes.running() is None
    assert reindexes.begin("all", "", dry_run=True, asked_by="U2").dry_run


def test_the_first_who_cancels_is_remembered(database: Database) -> None:
    reindexes = Reindexes(database)
    begun = reindexes.begin("all", "", dry_run=False, asked_by="U1")
    assert reindexes.cancelled_by(begun.id) == ""
    assert reindexes.cancel(begun.id, "U1")
    assert reindexes.cancel(begun.id, "U2")
    assert reindexes.cancelled_by(begun.id) == "U1"
    reindexes.end(begun.id)
    assert not reindexes.cancel(begun.id, "U3")
    assert not reindexes.cancel("no such reindex", "U3")


def test_tokens_are_unreadable_in_the_database(tmp_path: Path) -> None:
    file = tmp_path / "records.sqlite"
    with closing(Database(f"sqlite:///{file}")) as database:
        installations = Installations(database, TokenCipher([new_token_key()]))
        installations.save(INSTALLED)
        assert installations.of("T1") == INSTALLED
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("records.sqlite*"))
    assert b"T1" in everything
    assert b"secret" not in everything
    assert "secret" not in repr(INSTALLED)


def test_keys_can_be_changed_without_installing_again(database: Database) -> None:
    old, new = new_token_key(), new_token_key()
    Installations(database, TokenCipher([old])).save(INSTALLED)
    both = Installations(database, TokenCipher([new, old]))
    assert both.of("T1") == INSTALLED
    both.save(INSTALLED)
    assert Installations(database, TokenCipher([new])).of("T1") == INSTALLED
    with pytest.raises(RecordsError, match="another key"):
        Installations(database, TokenCipher([old])).of("T1")
    with pytest.raises(BotSettingsError, match="lorebot token-key"):
        TokenCipher(["no key"])


def test_an_installation_is_replaced_and_removed(database: Database) -> None:
    installations = Installations(database, TokenCipher([new_token_key()]))
    assert installations.of("T1") is None
    installations.save(replace(INSTALLED, refresh_token="", expires_at=None))
    installations.save(INSTALLED)
    assert installations.of("T1") == INSTALLED
    installations.remove("T1")
    installations.remove("T1")
    assert installations.of("T1") is None


def test_a_state_serves_once_and_not_for_ever(database: Database) -> None:
    states = OAuthStates(database)
    state = states.issue()
    assert not states.consume("guessed")
    assert states.consume(state)
    assert not states.consume(state)
    assert not OAuthStates(database, seconds=0).consume(states.issue())


def test_a_state_serves_one_of_several_replicas_that_ask_at_once(database: Database) -> None:
    states = OAuthStates(database)
    for _ in range(10):
        state, together = states.issue(), Barrier(4)

        def consume(state: str = state, together: Barrier = together) -> bool:
            together.wait(10)
            return states.consume(state)

        with ThreadPoolExecutor(4) as replicas:
            served = [replicas.submit(consume) for _ in range(4)]
        assert sorted(one.result() for one in served) == [False, False, False, True]


def test_only_the_digest_of_a_state_is_kept_and_old_ones_are_deleted(database: Database) -> None:
    old, state = OAuthStates(database).issue(), OAuthStates(database, seconds=0).issue()
    with database.session() as session:
        kept = session.scalars(select(OAuthStateRow.digest)).all()
    assert kept == [hashlib.sha256(state.encode()).hexdigest()]
    assert old != state


def test_an_installation_again_leaves_no_earlier_token(database: Database) -> None:
    installations = Installations(database, TokenCipher([new_token_key()]))
    installations.save(INSTALLED)
    with database.session() as session:
        earlier = session.scalars(select(InstallationRow.token)).one()
    installations.save(replace(INSTALLED, token="another secret"))
    with database.session() as session:
        assert session.scalars(select(InstallationRow.token)).one() != earlier


def keep(database: Database, number: int, asker: str = "U1", **changes: object) -> str:
    """Keep one answered question and return the answer's id."""
    asked = replace(ASKED, id=f"C1:{number}.5", thread=f"{number}.5", asker=asker)
    answers = Answers(database)
    answers.ask(asked)
    return answers.save(replace(answer_to(asked), **changes))  # type: ignore[arg-type]


def test_votes_are_counted_by_week(database: Database) -> None:
    now = datetime(2026, 6, 30, tzinfo=UTC)
    answer_id = keep(database, 1)
    for voter, thumb, days in (
        ("U1", "up", 1),
        ("U2", "down", 1),
        ("U3", "up", 10),
        ("U4", "up", 70),
    ):
        cast_at = now - timedelta(days=days)
        Votes(database).cast(Vote(answer_id, voter, Thumb(thumb), cast_at))
    weeks = Statistics(database).weeks(8, now)
    assert [(week.up, week.down) for week in weeks] == [(0, 0)] * 6 + [(1, 0), (1, 1)]
    assert weeks[-1].starts == now - timedelta(days=7)


def test_the_worst_pages_are_public_ones_that_were_cited(database: Database) -> None:
    secret = replace(PASSAGE, audience=PASSAGE.audience.of("slack_channel:C1"), title="Secret")
    public = keep(database, 1)
    private = keep(database, 2, passages=(secret,), citations=())
    for answer_id in (public, private):
        Votes(database).cast(Vote(answer_id, "U1", Thumb.DOWN))
    Votes(database).cast(Vote(public, "U2", Thumb.UP))
    assert Statistics(database).worst_pages() == [Page("Expenses", PASSAGE.url, down=1, up=1)]


def test_unanswered_is_what_was_not_found_or_called_so(database: Database) -> None:
    keep(database, 1)
    keep(database, 2, ending=Ending.NOT_FOUND)
    useless = keep(database, 3)
    Corrections(database).give(Correction(useless, "U1", reason=Reason.NOT_FOUND))
    statistics = Statistics(database)
    assert {one.id for one in statistics.unanswered()} == {"C1:2.5", "C1:3.5"}
    later = datetime.now(UTC) + timedelta(days=8)
    assert statistics.unanswered(now=later) == []


def test_people_find_their_own_questions_and_totals_count_all(database: Database) -> None:
    keep(database, 1)
    keep(database, 2, asker="U2")
    Answers(database).ask(replace(ASKED, id="C1:3.5"))
    statistics = Statistics(database)
    assert [one.id for one in statistics.of_person("U2")] == ["C1:2.5"]
    totals = statistics.totals()
    assert (totals.questions, totals.waiting, totals.endings) == (3, 1, {"quoted": 2})
