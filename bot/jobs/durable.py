"""Durable jobs on DBOS: what was begun is finished, once, also after a crash.

DBOS keeps every job and the result of each of its steps in a database. A job's key makes it
unique: starting it again, while it runs or years later, does nothing. After a crash the next
start of the same installation resumes each unfinished job behind its last finished step; on
Postgres another process does so, see bot/jobs/recovery.py. A step must bear being repeated, and
what one step returns must be small and free of private text. DBOS pickles whatever a job or a step
raises into its tables, too: of an error that may quote people only the type is kept.

A job that two processes in a row have died in, in the same step, is given up: see
bot/jobs/deaths.py. A process that ends in good order has not died.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowStatus, error

from bot.domain.database_address import parsed
from bot.domain.errors import RecordsError
from bot.jobs.deaths import GIVEN_UP, Deaths
from bot.jobs.recovery import recovery
from bot.jobs.schedules import Schedules
from indexer.private_files import make_private_file

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

# Raised by hand when a change of steps makes unfinished jobs of older versions unreadable. DBOS
# would otherwise derive it from the code, and every upgrade would strand the questions in flight.
_VERSION = "1"
_BOT = "lorebot"
_PROGRESS = "progress"
_POLLING_SECONDS = 0.2
_SCHEDULES_SECONDS = 5.0
_QUEUE_SECONDS = 0.5
_FORGIVING_SECONDS = 2.0
_SAFE = ("adapters", "bot", "dbos", "indexer")
"""Packages whose exceptions say nothing that people have written."""
_log = logging.getLogger(__name__)


class State(StrEnum):
    """How far a job is. One whose process died is running: its next start goes on with it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_STATES = {
    "DELAYED": State.WAITING,
    "ENQUEUED": State.WAITING,
    "PENDING": State.RUNNING,
    "SUCCESS": State.DONE,
}
_UNFINISHED = ["DELAYED", "ENQUEUED", "PENDING"]
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", GIVEN_UP]
_ENDED_AT_ONCE = 200
_ALL_APPLICATIONS: list[str] = []  # without it DBOS shows a process those of its own alone


class Unexpected(Exception):
    """A job or step failed by a mistake of ours: ``str(error)`` is the type of what was raised."""


class Interrupted(BaseException):
    """The process is closing: a job that waits goes on at its next start.

    No Exception, which would be the job's ending.
    """


class Jobs:
    """One process's share of the durable work. Only one may be open per process."""

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
        """Jobs of an ``application`` are run by its own processes alone, ``threads`` at a time.

        ``replica`` is this process's own name among those that share the database: its unfinished
        work is its own as long as it lives. What ``carry`` returns where a job is started,
        ``restore`` brings back around the job, wherever and whenever it runs.
        """
        config: DBOSConfig = {
            "name": application,
            "system_database_url": database_url,
            "application_version": _version_of(application),
            "executor_id": replica,
            "log_level": "WARNING",
            "max_executor_threads": threads,
            "notification_listener_polling_interval_sec": _POLLING_SECONDS,
            "scheduler_polling_interval_sec": _SCHEDULES_SECONDS,
            "enable_otlp": False,
        }
        _create_private(database_url)
        DBOS(config=config)
        owners = partial(_owners, application)
        self._recovery = recovery(
            database_url, application, replica, owners, self._take_over, self._resume
        )
        self._deaths = Deaths(database_url, _version_of(application))
        self._survivors: set[str] = set()
        self._recovered_in: dict[str, str] = {}
        self._queues: dict[str, int] = {}
        self._farewells: dict[str, Callable[[str, str], None]] = {}
        self._application = application
        self._replica = replica
        self._launched = False
        self._carry = carry
        self._restore = restore
        self._functions: dict[str, Callable[[str, str], None]] = {}
        self._schedules = Schedules()
        self._at_launch: list[Callable[[], None]] = []
        self._paused = 0
        self._pausing = Lock()
        self.is_closed = False
        """From the beginning of ``close``: jobs still end then, but none begins."""

    def at_launch(self, function: Callable[[], None]) -> None:
        """Call ``function()`` once jobs may be started, and on Postgres every few seconds after
        that, for what others leave behind; before ``launch``.
        """
        self._at_launch.append(function)

    def register(
        self,
        name: str,
        function: Callable[[str], None],
        *,
        give_up: Callable[[str], None] | None = None,
        recover_alone: bool = False,
    ) -> None:
        """Make ``function(key)`` a kind of job; before ``launch``.

        ``give_up(key)`` is a job of its own, begun in place of one that two processes died in. With
        ``recover_alone``, jobs that a process died in are begun again one at a time, so that of
        those that ran beside each other only the one to blame sees the next process die.
        """
        self._functions[name] = self._workflow(name, function)
        if give_up:
            self._farewells[name] = self._workflow(f"give up {name}", give_up)
        if recover_alone:
            self._recovered_in[name] = f"{name} again"
            self.add_queue(self._recovered_in[name], 1)

    def _workflow(self, name: str, function: Callable[[str], None]) -> Callable[[str, str], None]:
        def job(key: str, carried: str = "") -> None:
            with (
                self._surviving(),
                self._restore(carried),
                _kept_without_content(f"The job {name}"),
            ):
                function(key)

        return DBOS.workflow(name=name)(_named(name, job))

    def add_queue(self, name: str, at_once: int) -> None:
        """A queue of this application that each of its processes takes ``at_once`` jobs of; before
        ``launch``.
        """
        self._queues[name] = at_once

    def schedule(self, name: str, cron: str, function: Callable[[str], None]) -> None:
        """Run ``function(moment)`` at the times of a cron expression, in UTC; before ``launch``.

        Each time is one job over all replicas; ``moment`` is that time in ISO 8601.
        """

        def due(moment: datetime, _context: object) -> None:
            with _kept_without_content(f"The schedule {name}"):
                function(moment.isoformat())

        self._schedules.add(name, cron, DBOS.workflow(name=name)(_named(name, due)))

    def launch(self) -> None:
        """Open the database and resume what a crash left unfinished, but for what it came of.

        Raises RecordsError.
        """
        self._recovery.start()
        self._deaths.judge(self._replica, self._recovered_in)  # before DBOS takes it up again
        DBOS.launch()
        self._launched = True
        for queue, at_once in self._queues.items():
            DBOS.register_queue(
                queue, worker_concurrency=at_once, polling_interval_sec=_QUEUE_SECONDS
            )
        self._schedules.begin()
        self._resume()

    def start(self, name: str, key: str, queue: str = "") -> None:
        """Begin a job in the background, or as soon as a ``queue`` of this application lets it; of
        one key and name there is only ever one.
        """
        if queue:
            self.enqueue(self._application, queue, name, key, self._carry())
            return
        with SetWorkflowID(f"{name}:{key}"):
            DBOS.start_workflow(self._functions[name], key, self._carry())

    def work_on(self, queue: str) -> None:
        """Take jobs from a queue, one at a time over all replicas; after ``launch``."""
        DBOS.register_queue(queue, global_concurrency=1)

    @staticmethod
    def enqueue(application: str, queue: str, name: str, key: str, carried: str = "") -> None:
        """Leave a job to a process of another application, also one that is not running now.

        As with ``start``, of one key and name there is only ever one. ``carried`` is what that
        process's ``restore`` brings back around the job.
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
            carried,
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
    def state(name: str, key: str) -> State | None:
        """How far a job is, also one of another application; None where there is none."""
        found = _listed(workflow_ids=[f"{name}:{key}"])
        return _STATES.get(found[0].status, State.FAILED) if found else None

    @staticmethod
    def pending() -> dict[str, int]:
        """How many jobs wait or run, by their kind, also of other applications."""
        found = _listed(status=_UNFINISHED, application_name=_ALL_APPLICATIONS)
        return Counter(one.name for one in found)

    @staticmethod
    def given_up() -> dict[str, int]:
        """How many jobs two processes have died in, by their kind, also of other applications."""
        found = _listed(status=GIVEN_UP, application_name=_ALL_APPLICATIONS)
        return Counter(one.name for one in found)

    @staticmethod
    def unfinished(name: str, prefix: str) -> list[str]:
        """Keys that begin with ``prefix``, of jobs that wait or run, also of other applications;
        the oldest first.
        """
        found = _listed(
            workflow_id_prefix=f"{name}:{prefix}",
            status=_UNFINISHED,
            application_name=_ALL_APPLICATIONS,
        )
        keys = (one.workflow_id.removeprefix(f"{name}:") for one in found)
        return [key for key in keys if key.startswith(prefix)]  # in SQL, _ is any letter

    @staticmethod
    def forget_ended(before: datetime) -> int:
        """Delete what jobs of all applications that ended before then have left; how many."""
        gone = 0
        while ended := _listed(
            status=_ENDED,
            completed_before=before.isoformat(),
            application_name=_ALL_APPLICATIONS,
            limit=_ENDED_AT_ONCE,
        ):
            DBOS.delete_workflows([one.workflow_id for one in ended])
            gone += len(ended)
        return gone

    def step(
        self,
        name: str,
        function: Callable[[], Result],
        retry: Callable[[BaseException], bool] | None = None,
        *,
        attempts: int = 5,
    ) -> Result:
        """Run a part of a job whose result is remembered: a resumed job skips it.

        Errors that ``retry`` accepts are tried again until ``attempts`` were made, with pauses of
        1, 2, 4, … seconds: five attempts take a quarter of a minute, ten take nine. Then the last
        of them is raised.
        """
        ran = False

        def part() -> Result:
            nonlocal ran
            ran = True
            return _kept_without_content(f"The step {name}", retry)(function)()

        try:
            result = DBOS.run_step(
                {
                    "name": name,
                    "retries_allowed": retry is not None,
                    "max_attempts": attempts,
                    "interval_seconds": 1.0,
                    "backoff_rate": 2.0,
                    "should_retry": retry,
                },
                part,
            )
        except error.DBOSMaxStepRetriesExceeded as exceeded:
            raise exceeded.errors[-1] from None
        if ran:
            self._got_on()
        return result

    def pause(self, seconds: float) -> None:
        """Within a job: wait. Raises Interrupted as soon as the process closes."""
        ends = time.monotonic() + seconds
        with self._pausing:
            self._paused += 1
        while (left := ends - time.monotonic()) > 0 and not self.is_closed:
            time.sleep(min(left, _POLLING_SECONDS))
        if self.is_closed:
            raise Interrupted  # and stays counted: ``close`` does not wait for it
        with self._pausing:
            self._paused -= 1

    @contextmanager
    def at_end(self, function: Callable[[], object]) -> Iterator[None]:
        """Within a job: call ``function()`` when the block has ended, in whatever way.

        Not where the job goes on: after a restart that interrupted the block, or in a process that
        took the job over because it held this one for dead.
        """
        try:
            yield
        except error.DBOSWorkflowConflictIDError:
            raise
        except BaseException:
            if not self.is_closed:
                function()
            raise
        function()

    def close(self, timeout_seconds: int = 10) -> None:
        """Wait for running jobs up to the timeout; the rest resumes at the next start.

        DBOS could wait itself, but looks once a second, also where nothing runs.
        """
        self.is_closed = True
        self._schedules.close()
        if self._launched:
            # In a thread, because DBOS asks a database that is away again and again.
            idle = Thread(target=self._wait, args=(timeout_seconds,), daemon=True)
            idle.start()
            idle.join(timeout_seconds + _FORGIVING_SECONDS)
        DBOS.destroy(destroy_registry=True)
        self._recovery.close()
        self._deaths.close()

    def _wait(self, seconds: float) -> None:
        """At the beginning already nothing counts as a death: who stops us may not wait so long."""
        deadline = time.monotonic() + seconds
        forgiven = self._forgive()
        while time.monotonic() < deadline and self._runs_any():
            time.sleep(_POLLING_SECONDS / 4)
        self._forgive(but=forgiven)

    def _forgive(self, but: Collection[str] = ()) -> set[str]:
        try:
            return self._deaths.forgive(self._replica, but)
        except RecordsError as failure:
            _log.warning("What is unfinished counts as a death: %s", failure)
            return set()

    def _take_over(self, owner: str) -> None:
        """Go on with a dead process's jobs, but for those that it was one too many to die in."""
        self._deaths.judge(owner, self._recovered_in)
        _recover(owner)

    def _resume(self) -> None:
        self._begin_farewells()
        for function in self._at_launch:
            function()

    def _begin_farewells(self) -> None:
        """For each job that was given up, once: DBOS knows those that were begun."""
        if not self._farewells:
            return
        found = DBOS.list_workflows(
            status=GIVEN_UP, name=list(self._farewells), load_input=True, load_output=False
        )
        for one in found:
            key, *carried = one.input["args"] if one.input else (one.workflow_id, "")
            with SetWorkflowID(f"give up {one.workflow_id}"):
                DBOS.start_workflow(self._farewells[one.name], key, *carried)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Around a job: whether a process died in it, so that the next step to end clears it."""
        job = str(DBOS.workflow_id)
        try:
            if self._deaths.of(job):
                self._survivors.add(job)
        except RecordsError as failure:
            _log.warning("Whether a process died in %s is not known: %s", job, failure)
        try:
            yield
        finally:
            self._survivors.discard(job)

    def _got_on(self) -> None:
        job = str(DBOS.workflow_id)
        if job not in self._survivors:
            return
        try:
            self._deaths.forget(job)
            self._survivors.discard(job)
        except RecordsError as failure:
            _log.warning("That %s got on could not be noted: %s", job, failure)

    def _runs_any(self) -> bool:
        """But those that pause."""
        with self._pausing:
            paused = self._paused
        running = _listed(status="PENDING", executor_id=self._replica, limit=paused + 1)
        return len(running) > paused


def _owners(application: str) -> set[str]:
    """The processes that have begun jobs of this application and not ended them."""
    found = _listed(status="PENDING", app_version=_version_of(application))
    return {one.executor_id for one in found if one.executor_id}


def _recover(owner: str) -> None:
    """Put a process's jobs back into their queues; unlike ``resume_workflows`` this counts that."""
    DBOS._recover_pending_workflows([owner])


def _create_private(url: str) -> None:
    """DBOS would make SQLite's file open to others, where the umask lets it."""
    address = parsed(url)
    if address.get_backend_name() == "sqlite" and address.database not in (None, "", ":memory:"):
        path = Path(str(address.database))
        with suppress(OSError):  # DBOS says why
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private_file(path)


def _version_of(application: str) -> str:
    """DBOS wants versions that no two applications share."""
    return _VERSION if application == _BOT else f"{application}-{_VERSION}"


def _named(name: str, function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """DBOS tells workflows apart by their qualified names, which these closures share."""
    function.__name__ = function.__qualname__ = name
    return function


@contextmanager
def _kept_without_content(
    what: str, is_known: Callable[[BaseException], bool] | None = None
) -> Iterator[None]:
    """Log an error that is neither safe nor known, and raise Unexpected in its place.

    For a block, or around a function.
    """
    try:
        yield
    except Exception as raised:
        is_safe = type(raised).__module__.partition(".")[0] in _SAFE
        if is_safe or (is_known and is_known(raised)):
            raise
        _log.exception("%s failed.", what)
        raise Unexpected(type(raised).__name__) from raised


def _listed(**wanted: Any) -> list[WorkflowStatus]:
    """Jobs as DBOS lists them, without their arguments and results, which are not needed here."""
    return DBOS.list_workflows(**wanted, load_input=False, load_output=False)
