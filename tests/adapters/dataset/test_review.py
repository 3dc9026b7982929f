from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.dataset.build import dataset
from adapters.dataset.review import Decision, Decisions, Verdict, pages
from adapters.errors import DatasetError
from adapters.runs.manifest import Manifest
from bot.domain.values import Thumb
from bot.records.database import Database
from tests.adapters.team import OPEN, PAGES, Team, page


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    database = Database(f"sqlite:///{tmp_path / 'records.sqlite'}")
    team = Team(database)
    for topic in PAGES:
        team.thanked(topic)
    wrong = team.answered("Supper?", "99 EUR [1].", [page("hotel")], others=[page("meals")])
    team.correct(wrong, "Meals on a journey are paid up to 45 EUR.")
    team.vote(team.answered("Cars?", "At gate 9 [1].", [page("parking")]), Thumb.DOWN)
    yield team
    database.close()


def built(team: Team, tmp_path: Path) -> Manifest:
    table = OPEN.model_copy(update={"held_out_share": 0.0, "golden_present": 1.0})
    return dataset(table, team.material(), tmp_path / "decisions.jsonl", tmp_path / "run")


def test_a_page_shows_all_that_is_learned_from_one_exchange(team: Team, tmp_path: Path) -> None:
    by_question = {
        page.origin.question: page for page in pages(built(team, tmp_path), decisions(tmp_path))
    }
    assert len(by_question) == 12
    corrected, disliked = by_question["Supper?"], by_question["Cars?"]
    assert corrected.good.startswith("Meals on a journey are paid up to 45 EUR.")
    assert corrected.bad.startswith("99 EUR")
    assert {"answer", "preference", "reflection:useful"} <= set(corrected.teaches)
    assert (disliked.good, disliked.bad[:9]) == ("", "At gate 9")
    assert set(disliked.teaches) == {"thumb down", "reflection:useful"}


def test_what_is_struck_leaves_every_file_of_every_later_dataset(
    team: Team, tmp_path: Path
) -> None:
    (doubtful,) = [
        page
        for page in pages(built(team, tmp_path), decisions(tmp_path))
        if page.origin.question == "Supper?"
    ]
    decisions(tmp_path).decide(Decision(doubtful.origin.exchange, Verdict.STRUCK, "U1", "a joke"))
    team.thanked("meals", "And on Sundays?")  # other passages may now stand beside the old ones

    rebuilt = built(team, tmp_path)
    assert rebuilt.metrics["left_out"] == {"struck in a review": 1}
    assert not any("Supper?" in rebuilt.output(name).read_text() for name in rebuilt.outputs)


def test_undecided_exchanges_come_first_and_the_newest_decision_holds(
    team: Team, tmp_path: Path
) -> None:
    manifest = built(team, tmp_path)
    first, second, *_ = pages(manifest, decisions(tmp_path))
    for page_, verdict in (
        (first, Verdict.STRUCK),
        (second, Verdict.KEPT),
        (first, Verdict.KEPT),
        (second, Verdict.STRUCK),
    ):
        decisions(tmp_path).decide(Decision(page_.origin.exchange, verdict, "U1"))

    assert decisions(tmp_path).struck == {second.origin.exchange}
    *undecided, before_last, last = pages(manifest, decisions(tmp_path))
    assert not any(page.decision for page in undecided)
    assert [before_last.origin, last.origin] == [first.origin, second.origin]
    assert last.decision
    assert last.decision.verdict is Verdict.STRUCK


def test_a_damaged_decision_is_named_and_never_skipped(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text('{"exchange": "a"}\n')
    with pytest.raises(DatasetError, match="line 1 is no decision"):
        decisions(tmp_path)


def test_decisions_that_cannot_be_kept_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be"):
        Decisions(tmp_path / "file" / "decisions.jsonl").decide(Decision("a", Verdict.KEPT, "U1"))


def decisions(tmp_path: Path) -> Decisions:
    """Read anew, as another process would."""
    return Decisions(tmp_path / "decisions.jsonl")
