"""Two bots and two workers on a real Postgres: each is killed in turn, and nothing is lost.

The same with 500 questions is ``make bench NAME=replicas``.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.deployment.fleet import Fleet


@pytest.mark.timeout(420)
def test_whoever_is_killed_every_question_is_answered_once(
    own_postgres: str, tmp_path: Path, cache_dir: Path
) -> None:
    with Fleet(own_postgres, tmp_path, cache_dir) as fleet:
        fleet.start(workers=("worker-1", "worker-2"), bots=("one", "two"))
        fleet.wait_until_read("notes")
        asked = [fleet.ask(number) for number in range(10)]
        fleet.workspace.wait_for(lambda: any(fleet.answers(ts) == 1 for ts in asked), timeout=60)
        fleet.kill("two")  # and it does not come back
        fleet.kill(min(fleet.jobs("refresh")))
        (fleet.documents / "lift.md").write_text("# Lift\n\nThe lift is inspected in March.\n")
        written = time.time()
        asked += [fleet.ask(number) for number in range(10)]
        assert fleet.wait_for_answers(asked, 120) == []
        fleet.wait_until_read("notes", since=written)
        asked.append(fleet.ask_about("When is the lift inspected?"))
        assert fleet.wait_for_answers(asked[-1:], 60) == []
        assert "inspected in March" in fleet.answer(asked[-1])
        assert [fleet.answers(ts) for ts in asked] == [1] * len(asked)
        assert set(fleet.jobs("refresh")) == {"worker-1", "worker-2"}
