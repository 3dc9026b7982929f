"""Which jobs there are and how far each is, of whatever application: DBOS' own table, read."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Any

from dbos import DBOS, WorkflowStatus


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
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_ENDED_AT_ONCE = 200
_ALL_APPLICATIONS: list[str] = []  # without it DBOS shows a process those of its own alone


def state(name: str, key: str) -> State | None:
    """How far a job is, also one of another application; None where there is none."""
    found = listed(workflow_ids=[f"{name}:{key}"])
    return _STATES.get(found[0].status, State.FAILED) if found else None


def pending() -> dict[str, int]:
    """How many jobs wait or run, by their kind, also of other applications."""
    found = listed(status=_UNFINISHED, application_name=_ALL_APPLICATIONS)
    return Counter(one.name for one in found)


def unfinished(name: str, prefix: str) -> list[str]:
    """Keys that begin with ``prefix``, of jobs that wait or run, also of other applications;
    the oldest first.
    """
    found = listed(
        workflow_id_prefix=f"{name}:{prefix}",
        status=_UNFINISHED,
        application_name=_ALL_APPLICATIONS,
    )
    keys = (one.workflow_id.removeprefix(f"{name}:") for one in found)
    return [key for key in keys if key.startswith(prefix)]  # in SQL, _ is any letter


def forget_ended(before: datetime) -> int:
    """Delete what jobs of all applications that ended before then have left; how many."""
    gone = 0
    while ended := listed(
        status=_ENDED,
        completed_before=before.isoformat(),
        application_name=_ALL_APPLICATIONS,
        limit=_ENDED_AT_ONCE,
    ):
        DBOS.delete_workflows([one.workflow_id for one in ended])
        gone += len(ended)
    return gone


def listed(**wanted: Any) -> list[WorkflowStatus]:
    """Jobs without what they were given and what came of it, which nobody here reads."""
    return DBOS.list_workflows(**wanted, load_input=False, load_output=False)
