"""Two bots and two workers on one Postgres answer hundreds of questions while they are killed.

Run with ``make bench NAME=replicas``, or ``python -m tests.benchmarks.replicas --questions 500``.
Each process is killed with kill -9 and does not come back under its name; one bot joins later. The
server is a real Postgres of its own, so its programs have to be installed. The last line is one
JSON object; ``lost`` and ``twice`` must be 0.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import platformdirs

from tests.deployment.fleet import Fleet
from tests.services.postgres import postgres, postgres_programs

_AT_ONCE = 12
_PATIENCE = 300.0
_NOTE = "# Lift\n\nThe lift is inspected on the third Thursday of March.\n"


def measure(fleet: Fleet, questions: int) -> dict[str, object]:
    """Kills at every fifth of the way; returns what came of the questions."""
    fleet.start(workers=("worker-1", "worker-2"), bots=("one", "two"))
    fleet.wait_until_read("notes")
    kills = {
        questions // 5: lambda: fleet.kill("two"),
        2 * questions // 5: lambda: fleet.kill("worker-1"),
        3 * questions // 5: lambda: fleet.start(bots=("three",)),
        4 * questions // 5: lambda: fleet.kill("one"),
    }
    asked: list[str] = []
    began, written = time.monotonic(), 0.0
    for number in range(questions):
        asked.append(fleet.ask(number))
        if number in kills:
            kills[number]()
        if number == 2 * questions // 5:
            (fleet.documents / "lift.md").write_text(_NOTE)
            written = time.time()
        while sum(fleet.answers(ts) < 1 for ts in asked[-3 * _AT_ONCE :]) >= _AT_ONCE:
            time.sleep(0.05)
    fleet.wait_until_read("notes", since=written)
    asked.append(fleet.ask_about("When is the lift inspected?"))
    lost = fleet.wait_for_answers(asked, _PATIENCE)
    seconds = time.monotonic() - began
    return {
        "questions": len(asked),
        "lost": len(lost),
        "twice": sum(fleet.answers(ts) > 1 for ts in asked),
        "knows_what_was_written_meanwhile": "third Thursday" in fleet.answer(asked[-1]),
        "seconds": round(seconds, 1),
        "answered_by": fleet.jobs("answer"),
        "answers_taken_over": fleet.begun_again("answer"),
        "indexed_by": fleet.jobs("refresh"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=500)
    given = parser.parse_args()
    if postgres_programs() is None:
        raise SystemExit("Postgres is not installed: apt-get install postgresql")
    cache = platformdirs.user_cache_path("lorebot")
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres() as url,
        Fleet(url, Path(folder), cache) as fleet,
    ):
        print(json.dumps(measure(fleet, given.questions)))


if __name__ == "__main__":
    main()
