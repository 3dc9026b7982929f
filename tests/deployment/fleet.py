"""Several Lorebot processes on one Postgres and one index, around a local workspace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from bot.bootstrap.demo import SAMPLE
from bot.slack.connection.manifest import manifest
from bot.slack.connection.transport import EVENTS_PATH
from bot.workspace import Workspace
from indexer.sync.journal import Journal
from tests.scenarios.conftest import ALICE, BOT, HELP, finished, replies
from tests.services.bot_process import slack_variables
from tests.services.databases import execute

QUESTIONS = (
    "How much may I spend on meals per day when I travel?",
    "How do I get access to the staging environment?",
    "How many days of vacation do I have?",
    "What do I do when I have lost my laptop?",
    "How long does parental leave last?",
)
_PATIENCE_SECONDS = 120.0


class Fleet:
    """Processes by name. ``folder`` holds what they share besides the database at ``url``;
    without one they share SQLite files there.
    """

    def __init__(self, url: str, folder: Path, cache: Path) -> None:
        self._url = url
        self._data = folder / "data"
        self.documents = folder / "documents"
        self.documents.mkdir(parents=True)
        (folder / "lorebot.toml").write_text(
            f'[[sources]]\nname = "handbook"\npath = "{SAMPLE}"\naudience = "public"\n\n'
            f'[[sources]]\nname = "notes"\npath = "{self.documents}"\naudience = "public"\n'
        )
        (self.documents / "first.md").write_text("# Notes\n\nNothing is noted yet.\n")
        self.workspace = Workspace(manifest=manifest(), redelivery_delays=(1.0,) * 60)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._addresses: dict[str, str] = {}
        self._environment = os.environ | {
            "LOREBOT_CONFIG": str(folder / "lorebot.toml"),
            "LOREBOT_DATA_DIR": str(self._data),
            "LOREBOT_CACHE_DIR": str(cache),
            "LOREBOT_RECORDS_URL": url,
            "LOREBOT_INDEX_WORKER": "true",
            "LOREBOT_INDEX_REFRESH": "*/10 * * * * *",
            "LOREBOT_INDEX_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def start(self, *, workers: tuple[str, ...] = (), bots: tuple[str, ...] = ()) -> None:
        """All at once; returns when workers are ready and bots listen to Slack."""
        monitors = {name: _free_address() for name in workers}
        addresses = {name: _free_address() for name in bots}
        for name, address in monitors.items():
            self._start(name, "worker", LOREBOT_MONITOR_LISTEN=address)
        for name, address in addresses.items():
            secret = {"LOREBOT_SLACK_SIGNING_SECRET": self.workspace.signing_secret}
            self._start(name, "run", "--http", address, **secret)
        for address in monitors.values():
            _wait(f"http://{address}/readyz", 200)
        for name, address in addresses.items():
            self._addresses[name] = f"http://{address}{EVENTS_PATH}"
            _wait(self._addresses[name], 404)  # it takes what Slack signs, and nothing else
        self._deliver()

    def wait_until_read(self, source: str, since: float = 0.0) -> None:
        """Until a worker has read a source, after the moment ``since`` in seconds of the epoch."""
        journal = Journal(self._data / "syncs.json")

        def is_read() -> bool:
            entry = journal.read().get(source)
            return entry is not None and entry.finished.timestamp() > since

        _wait_for(is_read, f"{source} was not read")

    def kill(self, name: str) -> None:
        """kill -9, and it does not come back."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if self._addresses.pop(name, None):
            self._deliver()

    def ask(self, number: int) -> str:
        """Ask one of the questions; returns its timestamp."""
        return self.ask_about(QUESTIONS[number % len(QUESTIONS)])

    def ask_about(self, question: str) -> str:
        return self.workspace.post(ALICE, HELP, f"{BOT} {question}")

    def answers(self, ts: str) -> int:
        """How many finished replies a question has; -1 where one of them is not finished."""
        found = replies(self.workspace, HELP, ts)
        return len(found) if all(map(finished, found)) else -1

    def answer(self, ts: str) -> str:
        """The text of a question's finished reply, "" before."""
        found = [one for one in replies(self.workspace, HELP, ts) if finished(one)]
        return str(found[0]["text"]) if found else ""

    def wait_for_answers(self, asked: list[str], seconds: float) -> list[str]:
        """The questions that have no finished reply when the time is over, or [] before."""
        deadline = time.monotonic() + seconds
        while (missing := [ts for ts in asked if self.answers(ts) < 1]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.2)
        return missing

    def jobs(self, name: str) -> Counter[str]:
        """How many finished jobs of that name each process has ended."""
        ended = execute(
            self._url,
            "SELECT executor_id, count(*) FROM {jobs}workflow_status "
            f"WHERE name = '{name}' AND status = 'SUCCESS' GROUP BY 1",
        )
        return Counter({str(owner): int(count) for owner, count in ended})

    def begun_again(self, name: str) -> int:
        """How many jobs of that name were begun by one process and ended by another."""
        ((count,),) = execute(
            self._url,
            "SELECT count(*) FROM {jobs}workflow_status "
            f"WHERE name = '{name}' AND recovery_attempts > 1",
        )
        return int(count)

    def __enter__(self) -> Self:
        self.workspace.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        self.workspace.stop()

    def _start(self, name: str, *arguments: str, **settings: str) -> None:
        environment = self._environment | settings
        environment |= {
            "LOREBOT_RECORDS_REPLICA": name,
            **slack_variables(self.workspace),
        }
        command = [sys.executable, "-m", "bot.cli.main", *arguments]
        self._processes[name] = subprocess.Popen(command, env=environment)

    def _deliver(self) -> None:
        if self._addresses:
            self.workspace.deliver_to(*self._addresses.values())


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def _wait(url: str, status: int) -> None:
    def answers() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(url).status_code == status
        return False

    _wait_for(answers, f"{url} did not answer {status}")


def _wait_for(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
