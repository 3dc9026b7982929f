"""A day in minutes: what the process holds must not grow with what it has answered and read.

LOREBOT_TEST_SOAK_QUESTIONS says how many questions; some hundred by default. Meanwhile the sources
are read as often as the worker reads them in 24 hours, each time with a page that has changed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, MEALS
from tests.scenarios.conftest import ALICE, BOB, BOT, HELP, lorebot, shown
from tests.scenarios.test_crash import running

QUESTIONS = int(os.environ.get("LOREBOT_TEST_SOAK_QUESTIONS", "288"))
ROUNDS = 6
READINGS = 24 * 4
DIRECT = "D0ALICE"
MOST_MEGABYTES_A_THOUSAND = 40


@dataclass(frozen=True, slots=True)
class Held:
    megabytes: float
    files: int
    threads: int
    records_kb: int
    jobs_kb: int
    index_kb: int


def held(pid: int, data: Path) -> Held:
    process = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return Held(
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status["Threads"]),
        *((data / f"{name}.sqlite").stat().st_size >> 10 for name in ("records", "jobs", "index")),
    )


def answered(data: Path) -> int:
    with closing(sqlite3.connect(f"file:{data}/records.sqlite?mode=ro", uri=True)) as records:
        (count,) = records.execute(
            "SELECT count(*) FROM questions JOIN answers ON question_id = questions.id "
            "WHERE finished_at IS NOT NULL"
        ).fetchone()
    return int(count)


def read_again(workspace: Workspace, pages: Path, number: int) -> None:
    """A page is changed, and found, as the admin who asked for it is told."""
    (pages / "lift.md").write_text(f"# Lift\n\nIt was inspected {number} times.\n")
    lorebot(workspace, "reindex all")
    workspace.wait_for(
        lambda: sum("Read again" in shown(one) for one in workspace.messages(DIRECT)) == number,
        timeout=60,
    )


def test_nothing_grows_but_the_records(
    workspace: Workspace, environment: dict[str, str], tmp_path: Path
) -> None:
    data, a_reading = tmp_path / "data", QUESTIONS // READINGS
    seen: list[Held] = []
    began = time.monotonic()
    with running(environment, workspace) as bot:
        for reading in range(1, READINGS + 1):
            for index in range(a_reading):
                person, direct, text = (
                    (ALICE, DIRECT, MEALS) if index % 2 else (BOB, "D0BOB", LEAVE)
                )
                if index % 5:
                    workspace.post(person, direct, text)
                else:
                    workspace.post(person, HELP, f"{BOT} {text}")
            read_again(workspace, tmp_path / "handbook", reading)
            if reading % (READINGS // ROUNDS):
                continue
            wanted = reading * a_reading
            workspace.wait_for(lambda wanted=wanted: answered(data) == wanted, timeout=900)  # type: ignore[misc]
            seen.append(held(bot.pid, data))
            print(f"{wanted} answered after {time.monotonic() - began:.0f} s: {seen[-1]}")
    warm, last = seen[1], seen[-1]  # pools and caches are full after the second round
    grown = (last.megabytes - warm.megabytes) * 1000 / (QUESTIONS * (ROUNDS - 2) / ROUNDS)
    assert grown < MOST_MEGABYTES_A_THOUSAND, f"{grown:.1f} MB a thousand questions"
    assert last.files <= warm.files + 10
    assert last.threads <= warm.threads + 10
    assert last.index_kb <= warm.index_kb + 100
