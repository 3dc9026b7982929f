"""Prometheus counters and histograms of this process; what the records hold is a gauge instead.

Every replica counts its own, so that sums over replicas are right. No label ever holds a text, or
an id of a person or a channel: each has few values, known beforehand or words of Slack's API.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.domain.values import Answer, Asked
from bot.telemetry.spans import note, span, written_at

COUNTED = CollectorRegistry()
"""Everything counted so far."""
_counter = partial(Counter, registry=COUNTED)
_seconds = partial(
    Histogram,
    registry=COUNTED,
    buckets=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
)

QUESTIONS = _counter("lorebot_questions_total", "Questions taken in.", ["occasion"])
ANSWERS = _counter("lorebot_answers_total", "Questions done with.", ["ending", "occasion"])
VOTES = _counter("lorebot_votes_total", "Votes cast, also again.", ["thumb"])
STAGES = _seconds("lorebot_stage_seconds", "One stage of one question.", ["stage"])
ANSWERED = _seconds(
    "lorebot_answer_seconds", "From when a message was written to its answer.", ["ending"]
)
FIRST_SIGNS = _seconds(
    "lorebot_first_sign_seconds", "From when a message was written to the first sign.", ["sign"]
)
MODEL_FAILURES = _counter(
    "lorebot_model_failures_total", "Answers quoted because the model failed.", ["reason"]
)
SLACK_CALLS = _counter("lorebot_slack_calls_total", "Calls of Slack's Web API.", ["method"])
SLACK_ERRORS = _counter(
    "lorebot_slack_errors_total",
    "Calls that came to nothing, as Slack says why.",
    ["method", "reason"],
)
SLACK_RETRIES = _counter(
    "lorebot_slack_retries_total", "Calls that were tried again.", ["method", "reason"]
)

FAILED = "failed"
"""The ending of a question that got an apology, or nothing."""
WORDS = 200
"""The most that become labels, so that no API can fill the server that scrapes this process."""
_WORD = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.IGNORECASE)
_words: set[str] = set()
_adding = threading.Lock()


def word(text: object) -> str:
    """What may be a label: one word of an API, not a sentence, and none that comes too late."""
    found = str(text)
    with _adding:
        if len(_words) < WORDS and _WORD.fullmatch(found):
            _words.add(found)
        return found if found in _words else "other"


def note_first_sign(asked: Asked, sign: str) -> None:
    """The person who asked sees something: a ``status`` line, or the answer's ``message``."""
    waited = _waited(asked)
    if waited is not None:
        FIRST_SIGNS.labels(sign).observe(waited)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """A stage that is no part of the answer itself, counted and as a span."""
    start = time.perf_counter()
    try:
        with span(name):
            yield
    finally:
        STAGES.labels(name).observe(time.perf_counter() - start)


def note_answer(answer: Answer, answer_id: str) -> None:
    """An answer is kept: how long each of its stages took, and in its trace what it rests on."""
    for name, seconds in answer.seconds.items():
        STAGES.labels(name).observe(seconds)
    supported = [one.probability for one in answer.reflections if one.kind == "supported"]
    note(
        answer=answer_id,
        ending=answer.ending.value,
        model=answer.versions.model,
        adapter=answer.versions.adapter,
        prompts=answer.versions.prompt,
        passages=len(answer.passages),
        citations=len(answer.citations),
        characters=len(answer.text),
        supported_least=min(supported, default=1.0),
    )


def note_ending(asked: Asked, ending: str) -> None:
    """A question is done with: its answer is posted, or never will be."""
    ANSWERS.labels(ending, asked.occasion).inc()
    waited = _waited(asked)
    if waited is not None:
        ANSWERED.labels(ending).observe(waited)


def _waited(asked: Asked) -> float | None:
    """Seconds since the message was written, by Slack's clock and ours; None for a command."""
    written = written_at(asked.id)
    return None if written is None else max(0.0, time.time() - written)
