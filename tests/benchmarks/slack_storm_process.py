"""The bot as its users run it, a process of its own, in a large local workspace, to be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.bootstrap.demo import SAMPLE
from bot.slack.connection.manifest import manifest
from bot.workspace import Workspace
from bot.workspace.state.models import Channel, Person
from bot.workspace.state.workspace_state import WorkspaceState
from tests.services.bot_process import bot_environment

BOT = "U0LOREBOT"
STARTING_SECONDS = 180.0


def large_workspace(people: int, channels: int) -> Workspace:
    """Not started yet: everybody is in every channel, as is the bot."""
    bot = Person(BOT, "lorebot", "Lorebot", bot_id="B0LOREBOT")
    staff = [Person(f"U{number:04}", f"p{number}", f"P{number}") for number in range(people)]
    members = (*(person.id for person in staff), bot.id)
    rooms = [Channel(f"C{number:04}", f"room-{number}", members) for number in range(channels)]
    state = WorkspaceState(team_name="Storm", bot=bot, people=staff, channels=rooms)
    return Workspace(state, manifest=manifest())


class BotProcess:
    """``lorebot run`` over the sample handbook, started anew whenever it ends by itself."""

    def __init__(
        self, workspace: Workspace, folder: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        """``variables`` are settings besides, such as ``LOREBOT_MODEL_PATH``."""
        self._workspace = workspace
        self._log = folder / "bot.log"
        self._environment = bot_environment(workspace, folder, SAMPLE) | (variables or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.restarts = 0

    @property
    def records(self) -> Path:
        return Path(self._environment["LOREBOT_DATA_DIR"], "records.sqlite")

    def start(self) -> None:
        """Returns once it is connected."""
        self._begin()
        deadline = time.monotonic() + STARTING_SECONDS
        while not self._workspace.bot_connected:
            if time.monotonic() > deadline:
                raise SystemExit(f"The bot does not connect:\n{self.log()}")
            self.keep_alive()
            time.sleep(0.05)

    def keep_alive(self) -> None:
        """As a service manager does, where Slack's failures kept it from starting."""
        if self._process is None or self._process.poll() is not None:
            self.restarts += 1
            self._begin()

    def kill(self) -> None:
        """kill -9, and start anew at once."""
        self._end(signal.SIGKILL)
        self._begin()

    def stop(self) -> None:
        self._end(signal.SIGKILL)

    def log(self, lines: int = 40) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _begin(self) -> None:
        command: Sequence[str] = (sys.executable, "-m", "bot.cli.main", "run")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait()
