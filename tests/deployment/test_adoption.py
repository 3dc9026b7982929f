"""What a process left that is gone is adopted, by those that live, and by nobody while it lives."""

from __future__ import annotations

import time
from threading import Event

from bot.jobs.recovery import Recovery, Replica
from tests.services.databases import execute

GROUP = "adoption"
PATIENCE = 0.5
DROP = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"


class Work:
    """Unfinished jobs of "two", and what becomes of them."""

    def __init__(self) -> None:
        self.owners = ["two"]
        self.adopted: list[str] = []
        self.resumed = 0
        self.done = Event()

    def adopt(self, owner: str) -> None:
        self.adopted.append(owner)
        self.owners.remove(owner)
        self.done.set()

    def resume(self) -> None:
        self.resumed += 1


def test_only_what_is_left_behind_is_adopted_and_once(own_postgres: str) -> None:
    two = Replica(own_postgres, GROUP, "two")
    two.enter()
    one, work = Replica(own_postgres, GROUP, "one", settling=-1), Work()
    recovery = Recovery(one, lambda: tuple(work.owners), work.adopt, work.resume, patience=0)
    recovery.look()
    assert (work.adopted, work.resumed) == ([], 1)
    two.leave()
    for _ in range(2):
        recovery.look()
    assert (work.adopted, work.resumed) == (["two"], 3)
    recovery.close()


def test_who_lost_a_connection_and_lives_keeps_its_work(own_postgres: str) -> None:
    one, two = (Replica(own_postgres, GROUP, name, settling=-1) for name in ("one", "two"))
    for replica in (one, two):
        replica.enter()
    work = Work()
    recovery = Recovery(one, lambda: tuple(work.owners), work.adopt, work.resume, patience=PATIENCE)
    for _ in range(2):  # also the second time: what was seen before is forgotten
        execute(own_postgres, DROP)
        recovery.look()
        assert two.confirm()
        time.sleep(PATIENCE)
        recovery.look()
        assert work.adopted == []
    two.leave()
    recovery.look()
    assert work.adopted == []
    time.sleep(PATIENCE)
    recovery.look()
    assert work.adopted == ["two"]
    recovery.close()


def test_nothing_is_adopted_before_the_others_had_time_to_come_back(own_postgres: str) -> None:
    one, work = Replica(own_postgres, GROUP, "one", settling=3600), Work()
    recovery = Recovery(one, lambda: tuple(work.owners), work.adopt, work.resume, patience=0)
    recovery.look()
    assert (work.adopted, work.resumed) == ([], 0)
    recovery.close()


def test_it_looks_by_itself_and_bears_a_database_that_is_away(own_postgres: str) -> None:
    one, work = Replica(own_postgres, GROUP, "one", settling=-1), Work()
    failures = ["away"]

    def owners() -> tuple[str, ...]:
        if failures:
            raise ConnectionError(failures.pop())
        return tuple(work.owners)

    recovery = Recovery(one, owners, work.adopt, work.resume, seconds=0.02, patience=0)
    recovery.start()
    assert work.done.wait(60)
    recovery.close()
    assert work.adopted == ["two"]
