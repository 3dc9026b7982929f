"""Requests training, which ``lorebot-adapters worker`` does, and reads its progress.

The bot needs none of the training libraries for that: the two meet in the jobs' database.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.jobs.durable import Jobs, State

APPLICATION = "lorebot-training"
QUEUE = "training"
JOB = "train"


def start_training(jobs: Jobs, name: str = "default") -> str:
    """Have a whole training pipeline run; returns the job's key, for ``training_progress``.

    It waits until a worker is there. A pipeline that waits or runs already is not begun again: then
    the key is that of the training under way.
    """
    if under_way := jobs.unfinished(JOB, f"{name}:"):
        return under_way[0]
    key = f"{name}:{datetime.now(UTC).isoformat()}"  # of one key there is only ever one job
    jobs.enqueue(APPLICATION, QUEUE, JOB, key)
    return key


def training_state(jobs: Jobs, key: str) -> State:
    """Waiting until a worker takes it. What was never asked for has failed."""
    return jobs.state(JOB, key) or State.FAILED


def training_progress(jobs: Jobs, key: str) -> str:
    """What the worker said last, a sentence; "" while the job waits for one."""
    return jobs.told(JOB, key)


def finished(name: str) -> str:
    """What the worker says last where every stage was done."""
    return f"{name}: finished"


def pipeline_of(key: str) -> str:
    """The name of the pipeline that a job's key is of."""
    return key.partition(":")[0]
