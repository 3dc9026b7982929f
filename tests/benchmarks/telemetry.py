"""What it costs to be watched: an answer with traces and metrics on, beside the same without.

Run with ``make bench NAME=telemetry``. The documents are quoted, without a language model: the
shortest answers there are, beside which watching weighs most. Both contestants answer the same
questions in turns over the sample handbook; traces go to a receiver in this very process, so that
its work counts too, and so does a scrape of the metrics every ``--scrape`` answers.

The last line is one JSON object: ``ratio`` is the median time of an answer while it is watched
over that of one that is not, with its share of what is exported afterwards; ``spans`` is how many
spans an answer has.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bot.answering.pipeline import Pipeline
from bot.bootstrap.demo import SAMPLE
from bot.domain.values import Question
from bot.records.database import Database
from bot.serving.lending import FixedModels
from bot.telemetry import counters as counted
from bot.telemetry import gauges
from bot.telemetry.monitor import Metrics
from bot.telemetry.spans import answering
from bot.telemetry.tracing import traced
from indexer.documents import Audience
from indexer.index import open_index
from indexer.settings import FilesSource, IndexSettings
from tests.benchmarks.timing import milliseconds
from tests.services.otlp_receiver import otlp_receiver

QUESTIONS = (
    "How much may I spend on meals per day when I travel?",
    "How do I get access to staging?",
    "How many days of leave do I have?",
    "Who approves hotels above the limit?",
    "What do I do when my laptop is stolen?",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--answers", type=int, default=50, help="of one turn")
    parser.add_argument("--scrape", type=int, default=30, help="answers until the next scrape")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        source = FilesSource(name="handbook", path=SAMPLE, audience=("public",))
        settings = IndexSettings(data_dir=folder, sources=(source,))
        index = stack.enter_context(open_index(settings))
        index.sync()
        database = stack.enter_context(closing(Database(f"sqlite:///{folder / 'records.sqlite'}")))
        models = FixedModels(None)
        metrics = Metrics(
            gauges.of_records(database),
            gauges.of_syncs(index.journal),
            gauges.of_index(index),
            gauges.of_models(models),
        )
        receiver = stack.enter_context(otlp_receiver())

        contest = Contest(Pipeline(index, models), metrics, arguments.scrape)
        receiver = stack.enter_context(otlp_receiver())
        contest.run(len(QUESTIONS), "")
        off, on, exporting = list[float](), list[float](), 0.0
        for _ in range(arguments.turns):
            off += contest.run(arguments.answers, "")[0]
            seconds, ended = contest.run(arguments.answers, receiver.url)
            on += seconds
            exporting += ended
        watched = median(on) + exporting / len(on)
        result = {
            "ratio": round(watched / median(off), 4),
            "off_milliseconds": milliseconds(off),
            "on_milliseconds": milliseconds([watched]),
            "exporting_milliseconds": round(1000 * exporting / len(on), 1),
            "spans": round(len(receiver.spans) / len(on), 1),
            "answers": len(on),
        }
    print(json.dumps(result))


class Contest:
    """Asks the same questions, watched and not."""

    def __init__(self, pipeline: Pipeline, metrics: Metrics, scrape: int) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._scrape = scrape

    def run(self, answers: int, url: str) -> tuple[list[float], float]:
        """Seconds of each answer, watched where there is a ``url``, and of exporting the rest."""
        seconds = []
        with ExitStack() as stack:
            stack.enter_context(traced(url, "benchmark"))
            for number in range(answers):
                start = time.perf_counter()
                self._answer(number, watched=bool(url))
                seconds.append(time.perf_counter() - start)
            start = time.perf_counter()
        return seconds, time.perf_counter() - start

    def _answer(self, number: int, *, watched: bool) -> None:
        text = QUESTIONS[number % len(QUESTIONS)]
        question = Question(f"C1:{number}.5", text, Audience.of("public"))
        if not watched:
            self._pipeline.answer(question)
            return
        with answering(question.id):
            counted.note_answer(self._pipeline.answer(question), str(number))
        if number % self._scrape == 0:
            self._metrics.text()


if __name__ == "__main__":
    main()
