"""A small storm: duplicates, failing calls, follow-ups, three kills; each is answered once."""

from pathlib import Path

from tests.benchmarks.slack_storm import run


def test_every_question_of_a_storm_is_answered_once_and_in_order(cache_dir: Path) -> None:
    found = run(
        questions=24,
        people=8,
        channels=4,
        per_minute=180,
        patience=240,
        variables={"LOREBOT_CACHE_DIR": str(cache_dir)},
        stalls=False,
    )
    assert found["answered_once"] == 24
    assert found["stuck"] == 0
    assert found["out_of_order"] == 0
