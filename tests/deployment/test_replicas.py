"""Who is alive among several processes on one Postgres, found out by Postgres itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.domain.errors import RecordsError
from bot.jobs.recovery import Replica, replica_of

GROUP = "test"

_HOLDING = """
import sys, time
from bot.jobs.recovery import Replica
Replica(sys.argv[1], "test", "two").enter()
print("here", flush=True)
time.sleep(600)
"""


def test_a_process_is_absent_once_it_was_killed(own_postgres: str) -> None:
    one = Replica(own_postgres, GROUP, "one")
    one.enter()
    command = [sys.executable, "-c", _HOLDING, own_postgres]
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=os.environ | root, stdout=subprocess.PIPE) as two:
        assert two.stdout is not None
        assert two.stdout.readline() == b"here\n"
        with one.absent("two") as is_absent:
            assert not is_absent
        two.send_signal(signal.SIGKILL)
        two.wait()
    deadline = time.monotonic() + 30
    while True:
        with one.absent("two") as is_absent:
            if is_absent:
                break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    one.leave()


def test_nobody_comes_to_life_while_looked_at(own_postgres: str) -> None:
    one = Replica(own_postgres, GROUP, "one")
    two = Replica(own_postgres, GROUP, "two", patience=0)
    one.enter()
    with one.absent("two") as is_absent:
        assert is_absent
        assert not two.confirm()
    assert two.confirm()
    for replica in (one, two):
        replica.leave()


def test_a_name_that_is_taken_is_refused_and_others_are_free(own_postgres: str) -> None:
    first = Replica(own_postgres, GROUP, "one")
    first.enter()
    with pytest.raises(RecordsError, match="LOREBOT_RECORDS_REPLICA"):
        Replica(own_postgres, GROUP, "one", patience=0).enter()
    other = Replica(own_postgres, "another group", "one", patience=0)
    other.enter()
    with first.absent("one") as is_absent:
        assert not is_absent  # never oneself
    for replica in (first, other):
        replica.leave()


def test_a_lost_connection_is_made_again_and_others_get_time_to_do_so(own_postgres: str) -> None:
    moment = [0.0]
    one = Replica(own_postgres, GROUP, "one", settling=10, clock=lambda: moment[0])
    one.enter()
    moment[0] = 11.0
    assert one.is_settled
    engine = create_engine(own_postgres)
    with engine.begin() as connection:
        others = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
        connection.execute(text(f"{others} AND backend_type = 'client backend'"))
    engine.dispose()
    assert one.confirm()
    assert not one.is_settled
    moment[0] = 22.0
    assert one.is_settled
    one.leave()


def test_sqlite_needs_no_such_thing() -> None:
    assert replica_of("sqlite:///jobs.sqlite", GROUP, "one") is None
