"""The training pipeline as a durable job, for a worker on a machine with a GPU."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from adapters.errors import AdaptersError
from adapters.pipeline import TrainingPipeline, Work
from adapters.runs.display import Display
from adapters.settings import AdaptersSettings
from bot.domain.errors import LorebotError
from bot.jobs.durable import Jobs
from bot.jobs.training import APPLICATION, JOB, QUEUE, finished, pipeline_of
from bot.operations.in_use import in_use
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)
_EXPECTED = (AdaptersError, LorebotError, IndexerError)


@contextmanager
def working(settings: AdaptersSettings, display: Display) -> Iterator[Jobs]:
    """Take pipelines from the queue and run them, one at a time, until the block ends.

    What a crash cut short goes on first: finished stages are not done again, and the others
    resume from what they left.
    """
    jobs = Jobs(settings.jobs_url, application=APPLICATION, replica=settings.records.replica)

    def train(key: str) -> None:
        _train(jobs, TrainingPipeline(settings, pipeline_of(key), display))

    jobs.register(JOB, train)
    try:
        with in_use(settings.data_dir):
            jobs.launch()
            jobs.work_on(QUEUE)
            yield jobs
    finally:
        jobs.close()


def _train(jobs: Jobs, pipeline: TrainingPipeline) -> None:
    """A pipeline that cannot go on says why, and is over: trying again would not help it."""
    stages = pipeline.stages

    def step(stage: str, work: Work) -> None:
        number = stages.index(stage) + 1
        jobs.tell(f"{pipeline.name}: {stage}, stage {number} of {len(stages)}")
        pipeline.display.tell(f"— {stage}")
        jobs.step(stage, partial(_run_of, work))

    try:
        pipeline.run(by=APPLICATION, step=step)
        jobs.tell(finished(pipeline.name))
    except _EXPECTED as error:
        _log.error("Training %s stopped: %s", pipeline.name, error)
        jobs.tell(f"{pipeline.name} stopped. {error}")


def _run_of(work: Work) -> str:
    """The name of the run; the rest is in its manifest."""
    manifest = work()
    return manifest.run if manifest else ""
