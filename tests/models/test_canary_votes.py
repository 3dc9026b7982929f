"""A canary under watch: votes decide, and only votes on what it and its rival answered since."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.domain.settings import CanaryTable
from bot.domain.values import Answer, Asked, Ending, Question, Thumb, Versions, Vote
from bot.models.canary_votes import Decision, Thumbs, decide, probability_lower, watch_canary
from bot.models.registry import Registry
from bot.models.versions import ModelVersion
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Votes
from bot.records.tables import AnswerRow
from indexer.documents import Audience
from tests.services.model_files import write_gguf

TABLE = CanaryTable(min_answers=8, promote_after=20)
UP, DOWN = Thumb.UP, Thumb.DOWN


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    """``old`` answers, ``new`` is its canary."""
    registry = Registry(database, tmp_path)
    for name in ("old", "new"):
        registry.add(write_gguf(tmp_path / f"{name}.gguf"))
    registry.activate("old", "ana")
    registry.canary("new", "ana", share=0.5)
    return registry


def answered(
    database: Database, version: ModelVersion | None, thumbs: list[Thumb], ts: list[int]
) -> str:
    """One answer of a version, and a voter for each thumb."""
    ts[0] += 1
    asked = f"C1:{ts[0]}.0"
    Answers(database).ask(Asked(asked, asked, "C1", f"{ts[0]}.0", "U1", "How?"))
    weights, adapter = version.fingerprint if version else ("", "")
    made = Versions(
        prompt="1",
        model=f"m.gguf@{weights[:12]}" if version else "",
        adapter=adapter,
        embedder="e",
    )
    question = Question(asked, "How?", Audience.of("public"))
    answer_id = Answers(database).save(Answer(question, "So.", Ending.GENERATED, made))
    for voter, thumb in enumerate(thumbs):
        Votes(database).cast(Vote(answer_id, f"U{voter}", thumb))
    return answer_id


class Voters:
    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry
        self._ts = [0]

    def vote(self, version: str, up: int, down: int) -> list[str]:
        """That many answers of a version, each with one vote."""
        thumbs = [*[UP] * up, *[DOWN] * down]
        found = self._registry.version(version)
        return [answered(self._database, found, [thumb], self._ts) for thumb in thumbs]

    def vote_on_one(self, version: str, thumbs: list[Thumb]) -> None:
        answered(self._database, self._registry.version(version), thumbs, self._ts)

    def vote_on_quotes(self, up: int) -> None:
        for _ in range(up):
            answered(self._database, None, [UP], self._ts)


@pytest.fixture
def voters(database: Database, registry: Registry) -> Voters:
    return Voters(database, registry)


def canary_of(registry: Registry) -> str:
    canary = registry.serving().canary
    return canary.version.name if canary else ""


def test_canary_that_falls_behind_is_called_off(
    database: Database, registry: Registry, voters: Voters
) -> None:
    voters.vote("old", up=18, down=2)
    voters.vote("new", up=2, down=8)
    watched = watch_canary(database, registry, TABLE)
    assert watched.decision is Decision.ROLLED_BACK
    assert watched.sentence == (
        "The canary new has 2 of 10 up, old 18 of 20 up in the same time; it is worse with a "
        "probability of 100%. It is called off: old answers everybody again."
    )
    assert canary_of(registry) == ""
    last = registry.history()[0]
    assert (last.action, last.version, last.by) == ("end canary", "new", "lorebot")


def test_few_votes_decide_nothing(database: Database, registry: Registry, voters: Voters) -> None:
    voters.vote("old", up=30, down=0)
    voters.vote("new", up=0, down=7)
    assert watch_canary(database, registry, TABLE).decision is Decision.WAITED
    assert canary_of(registry) == "new"


def test_level_canary_goes_on(database: Database, registry: Registry, voters: Voters) -> None:
    voters.vote("old", up=16, down=4)
    voters.vote("new", up=8, down=2)
    assert watch_canary(database, registry, TABLE).decision is Decision.WAITED


def test_better_canary_answers_everybody_where_the_settings_say_so(
    database: Database, registry: Registry, voters: Voters
) -> None:
    voters.vote("old", up=10, down=10)
    voters.vote("new", up=19, down=1)
    by_people = TABLE.model_copy(update={"promote_after": 0})
    assert watch_canary(database, registry, by_people).decision is Decision.WAITED
    assert watch_canary(database, registry, TABLE).decision is Decision.PROMOTED
    serving = registry.serving()
    assert serving.version == registry.version("new")
    assert serving.canary is None
    assert registry.history()[0].by == "lorebot"


def test_votes_from_before_the_canary_do_not_count(
    database: Database, registry: Registry, voters: Voters
) -> None:
    early = voters.vote("new", up=0, down=20)
    began = registry.history()[0].at
    with database.session() as session:
        session.execute(
            update(AnswerRow)
            .where(AnswerRow.id.in_(early))
            .values(answered_at=began.replace(year=began.year - 1))
        )
    voters.vote("new", up=8, down=0)
    assert watch_canary(database, registry, TABLE).canary_thumbs == Thumbs(8, 0)


def test_another_share_does_not_begin_the_canary_anew(
    database: Database, registry: Registry, voters: Voters
) -> None:
    voters.vote("new", up=3, down=1)
    registry.canary("new", "ana", share=0.9)
    voters.vote("new", up=3, down=1)
    assert watch_canary(database, registry, TABLE).canary_thumbs == Thumbs(6, 2)


def test_one_answer_counts_once_however_many_vote_on_it(
    database: Database, registry: Registry, voters: Voters
) -> None:
    voters.vote_on_one("new", [DOWN] * 30)
    voters.vote_on_one("new", [UP, DOWN])
    voters.vote_on_one("new", [UP, UP, DOWN])
    assert watch_canary(database, registry, TABLE).canary_thumbs == Thumbs(1, 1)


def test_adapter_is_told_apart_from_its_base(
    database: Database, registry: Registry, voters: Voters, tmp_path: Path
) -> None:
    registry.add(write_gguf(tmp_path / "lora.gguf", adapter=True), name="lora", base="old")
    registry.canary("lora", "ana", channels=("C1",))
    voters.vote("old", up=5, down=0)
    voters.vote("lora", up=0, down=4)
    watched = watch_canary(database, registry, TABLE)
    assert (watched.serving_thumbs, watched.canary_thumbs) == (Thumbs(5, 0), Thumbs(0, 4))


def test_without_a_model_beside_it_a_canary_is_compared_with_quotes(
    database: Database, registry: Registry, voters: Voters
) -> None:
    registry.end_canary("ana")
    registry.remove("old", "ana", force=True)
    registry.canary("new", "ana", share=0.5)
    voters.vote_on_quotes(12)
    voters.vote("new", up=0, down=8)
    watched = watch_canary(database, registry, TABLE)
    assert (watched.decision, watched.serving_thumbs) == (Decision.ROLLED_BACK, Thumbs(12, 0))
    assert watched.sentence.endswith("It is called off: no model answers everybody again.")


def test_without_a_canary_nothing_happens(database: Database, registry: Registry) -> None:
    registry.end_canary("ana")
    before = registry.history()
    watched = watch_canary(database, registry, TABLE)
    assert (watched.decision, watched.sentence) == (
        Decision.NO_CANARY,
        "There is no canary to watch.",
    )
    assert registry.history() == before


@pytest.mark.parametrize(
    ("one", "other"),
    [(Thumbs(2, 8), Thumbs(18, 2)), (Thumbs(7, 3), Thumbs(6, 4)), (Thumbs(0, 0), Thumbs(30, 0))],
)
def test_probability_is_that_of_drawing_from_both_posteriors(one: Thumbs, other: Thumbs) -> None:
    chance = random.Random(1)
    draws = 20_000
    lower = sum(
        chance.betavariate(one.up + 1, one.down + 1)
        < chance.betavariate(other.up + 1, other.down + 1)
        for _ in range(draws)
    )
    assert probability_lower(one, other) == pytest.approx(lower / draws, abs=0.012)
    assert probability_lower(other, one) == pytest.approx(1 - probability_lower(one, other))


def test_thousands_of_votes_are_computed() -> None:
    assert probability_lower(Thumbs(4000, 1000), Thumbs(4200, 800)) == pytest.approx(1, abs=1e-6)


def test_calling_off_comes_before_letting_everybody() -> None:
    assert decide(TABLE, Thumbs(10, 20), 0.99) is Decision.ROLLED_BACK
    assert decide(TABLE, Thumbs(20, 10), 0.21) is Decision.WAITED
    assert decide(TABLE, Thumbs(20, 10), 0.19) is Decision.PROMOTED
    assert decide(TABLE, Thumbs(10, 9), 0.19) is Decision.WAITED
