"""Durable work: what was begun is finished, once, also after a crash.

DBOS keeps every job and the result of each of its steps in a database. A job's key makes it
unique: starting it again, while it runs or years later, does nothing. After a crash the next
start of the same installation resumes each unfinished job behind its last finished step, so a
step must bear being repeated, and what one step returns must be small and free of private text.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, ScheduleInput, SetWorkflowID

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

# Raised by hand when a change of steps makes unfinished jobs of older versions unreadable. DBOS
# would otherwise derive it from the code, and every upgrade would strand the questions in flight.
_VERSION = "1"
_BOT = "lorebot"
_PROGRESS = "progress"


class Jobs:
    """One process's share of the durable work. Only one may be open a process."""

    def __init__(
        self,
        database_url: str,
        threads: int = 16,
        *,
        application: str = _BOT,
        replica: str = "local",
        carry: Callable[[], str] = str,
        restore: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """What an ``application`` begins or is given in a queue, its processes alone work on.

        ``replica`` is this process's own name among those that share the database: unfinished
        work is resumed by the process of the name that began it. What ``carry`` returns where a
        job is started, ``restore`` brings back around the job, wherever and whenever it runs.
        """
        config: DBOSConfig = {
            "name": application,
            "system_database_url": database_url,
            "application_version": _version_of(application),
            "executor_id": replica,
            "log_level": "WARNING",
            "max_executor_threads": threads,
            "enable_otlp": False,
        }
        DBOS(config=config)
        self._carry = carry
        self._restore = restore
        self._functions: dict[str, Callable[[str, str], None]] = {}
        self._schedules: list[ScheduleInput] = []

    def register(self, name: str, function: Callable[[str], None]) -> None:
        """Make ``function(key)`` a kind of job; before ``launch``."""

        def job(key: str, carried: str = "") -> None:
            with self._restore(carried):
                function(key)

        self._functions[name] = DBOS.workflow(name=name)(_named(name, job))

    def schedule(self, name: str, cron: str, function: Callable[[str], None]) -> None:
        """Run ``function(moment)`` at the times of a cron expression, in UTC; before ``launch``.

        Each time is one job over all replicas; ``moment`` is that time in ISO 8601.
        """

        def due(moment: datetime, _context: object) -> None:
            function(moment.isoformat())

        workflow = DBOS.workflow(name=name)(_named(name, due))
        self._schedules.append({"schedule_name": name, "workflow_fn": workflow, "schedule": cron})

    def launch(self) -> None:
        """Open the database and resume what a crash left unfinished."""
        DBOS.launch()
        DBOS.apply_schedules(self._schedules)

    def start(self, name: str, key: str) -> None:
        """Begin a job in the background; of one key and name there is only ever one."""
        with SetWorkflowID(f"{name}:{key}"):
            DBOS.start_workflow(self._functions[name], key, self._carry())

    def work_on(self, queue: str) -> None:
        """Take jobs from a queue, one at a time over all replicas; after ``launch``."""
        DBOS.register_queue(queue, global_concurrency=1)

    @staticmethod
    def enqueue(application: str, queue: str, name: str, key: str) -> None:
        """Leave a job to a process of another application, also one that is not running now.

        As with ``start``, of one key and name there is only ever one.
        """
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": name,
                "queue_name": queue,
                "workflow_id": f"{name}:{key}",
                "application_name": application,
                "app_version": _version_of(application),
            },
            key,
        )

    @staticmethod
    def tell(progress: str) -> None:
        """Say, in a job, how far it is; free of private text."""
        DBOS.set_event(_PROGRESS, progress)

    @staticmethod
    def told(name: str, key: str) -> str:
        """What a job has said last, also one of another application; "" before it began."""
        return DBOS.get_event(f"{name}:{key}", _PROGRESS, timeout_seconds=0) or ""

    @staticmethod
    def step(
        name: str,
        function: Callable[[], Result],
        retry: Callable[[BaseException], bool] | None = None,
        *,
        attempts: int = 5,
    ) -> Result:
        """Run a part of a job whose result is remembered: a resumed job skips it.

        Errors that ``retry`` accepts are tried again until ``attempts`` were made, with pauses of
        1, 2, 4, … seconds: five attempts take half a minute, ten take nine.
        """
        return DBOS.run_step(
            {
                "name": name,
                "retries_allowed": retry is not None,
                "max_attempts": attempts,
                "interval_seconds": 1.0,
                "backoff_rate": 2.0,
                "should_retry": retry,
            },
            function,
        )

    def close(self, timeout_seconds: int = 10) -> None:
        """Wait for running jobs up to the timeout; the rest resumes at the next start."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=timeout_seconds)


def _version_of(application: str) -> str:
    """DBOS wants versions that no two applications share."""
    return _VERSION if application == _BOT else f"{application}-{_VERSION}"


def _named(name: str, function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """DBOS tells workflows apart by their qualified names, which these closures share."""
    function.__name__ = function.__qualname__ = name
    return function
