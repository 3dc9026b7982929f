"""Durable work: what was begun is finished, once, also after a crash.

DBOS keeps every job and the result of each of its steps in a database. A job's key makes it
unique: starting it again, while it runs or years later, does nothing. After a crash the next
start of the same installation resumes each unfinished job behind its last finished step, so a
step must bear being repeated, and what one step returns must be small and free of private text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID

Result = TypeVar("Result")

# Raised by hand when a change of steps makes unfinished jobs of older versions unreadable. DBOS
# would otherwise derive it from the code, and every upgrade would strand the questions in flight.
_VERSION = "1"


class Jobs:
    """One process's share of the durable work. Only one may be open a process."""

    def __init__(self, database_url: str, threads: int = 16) -> None:
        config: DBOSConfig = {
            "name": "lorebot",
            "system_database_url": database_url,
            "application_version": _VERSION,
            "executor_id": "local",
            "log_level": "WARNING",
            "max_executor_threads": threads,
            "enable_otlp": False,
        }
        DBOS(config=config)
        self._functions: dict[str, Callable[[str], None]] = {}

    def register(self, name: str, function: Callable[[str], None]) -> None:
        """Make ``function(key)`` a kind of job; before ``launch``."""
        self._functions[name] = DBOS.workflow(name=name)(_named(name, function))

    def launch(self) -> None:
        """Open the database and resume what a crash left unfinished."""
        DBOS.launch()

    def start(self, name: str, key: str) -> None:
        """Begin a job in the background; of one key and name there is only ever one."""
        with SetWorkflowID(f"{name}:{key}"):
            DBOS.start_workflow(self._functions[name], key)

    @staticmethod
    def step(
        name: str,
        function: Callable[[], Result],
        retry: Callable[[BaseException], bool] | None = None,
    ) -> Result:
        """Run a part of a job whose result is remembered: a resumed job skips it.

        Errors that ``retry`` accepts are tried again, five times in all within half a minute.
        """
        return DBOS.run_step(
            {
                "name": name,
                "retries_allowed": retry is not None,
                "max_attempts": 5,
                "interval_seconds": 1.0,
                "backoff_rate": 2.0,
                "should_retry": retry,
            },
            function,
        )

    def close(self, timeout_seconds: int = 10) -> None:
        """Wait for running jobs up to the timeout; the rest resumes at the next start."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=timeout_seconds)


def _named(name: str, function: Callable[[str], None]) -> Callable[[str], None]:
    """DBOS tells workflows apart by their qualified names, which bound methods share."""

    def job(key: str) -> None:
        function(key)

    job.__name__ = job.__qualname__ = name
    return job
