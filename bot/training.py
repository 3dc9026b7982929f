"""Training, seen from the bot: it is asked for here and done by ``lorebot-adapters worker``.

The bot needs none of the training libraries for that: the two meet in the jobs' database.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.jobs import Jobs

APPLICATION = "lorebot-training"
QUEUE = "training"
JOB = "train"


def start_training(jobs: Jobs, line: str = "default") -> str:
    """Have a whole line trained; returns the job's key, for ``training_progress``.

    It waits until a worker is there. Asked for twice within a minute it is done once.
    """
    key = f"{line}:{datetime.now(UTC):%Y-%m-%dT%H:%M}"
    jobs.enqueue(APPLICATION, QUEUE, JOB, key)
    return key


def training_progress(jobs: Jobs, key: str) -> str:
    """What the worker said last, a sentence; "" while the job waits for one."""
    return jobs.told(JOB, key)


def line_of(key: str) -> str:
    return key.partition(":")[0]
