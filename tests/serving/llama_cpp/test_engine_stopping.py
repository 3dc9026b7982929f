"""Requests that are cancelled or run out of time, wherever they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.domain.errors import Cancelled, DeadlineExceeded, PromptTooLong
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Cancellation
from tests.serving.llama_cpp.engines import (
    SYSTEM,
    Recording,
    load,
    text,
    until,
    user,
    with_context,
    words,
)

LONG = [user(words(900))]


@pytest.fixture
def single(tiny_model: Path) -> Iterator[LlamaEngine]:
    engine = load(tiny_model, slots=1)
    yield engine
    engine.close()


def stream(engine: LlamaEngine, cancellation: Cancellation) -> object:
    return list(engine.stream(LONG, cancellation=cancellation))


def choose(engine: LlamaEngine, cancellation: Cancellation) -> object:
    return engine.choose(LONG, [words(40, n) for n in range(40)], ["yes", "no"], cancellation)


Verb = Callable[[LlamaEngine, Cancellation], object]
both_verbs = pytest.mark.parametrize("verb", [stream, choose])


@both_verbs
def test_cancelling_wakes_the_caller_and_frees_the_slot_within_a_step(
    tiny_model: Path, verb: Verb
) -> None:
    engine, context = with_context(tiny_model, Recording)
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(verb, engine, cancellation)
        until(lambda: engine.statistics.batches > 0)
        cancellation.cancel()
        batches = len(context.batches)
        with pytest.raises(Cancelled, match="stopped") as caught:
            running.result(timeout=10)
    assert not isinstance(caught.value, DeadlineExceeded)
    until(lambda: engine.statistics.active == 0)
    assert len(context.batches) <= batches + 1
    engine.close()


@both_verbs
def test_deadline_ends_a_request_in_progress(single: LlamaEngine, verb: Verb) -> None:
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(verb, single, cancellation)
        until(lambda: single.statistics.batches > 0)
        cancellation.deadline = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="in the time it was given"):
            running.result(timeout=10)
    until(lambda: single.statistics.active == 0)


@both_verbs
def test_deadline_ends_a_request_that_waits(single: LlamaEngine, verb: Verb) -> None:
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(verb, single, hold := Cancellation())
        until(lambda: single.statistics.active == 1)
        with pytest.raises(DeadlineExceeded):
            verb(single, Cancellation(deadline=time.monotonic()))
        assert single.statistics.waiting == 0
        hold.cancel()
        with pytest.raises(Cancelled):
            first.result(timeout=10)


def test_request_that_waits_is_cancelled_before_it_starts(single: LlamaEngine) -> None:
    running = single.stream([user(words(300))])
    next(running)
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(stream, single, cancellation)
        until(lambda: single.statistics.waiting == 1)
        cancellation.cancel()
        with pytest.raises(Cancelled):
            waiting.result(timeout=10)
        assert single.statistics.active == 1
    assert "".join(running)


def test_prompt_computed_until_it_was_cancelled_helps_the_next_one(single: LlamaEngine) -> None:
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(stream, single, cancellation)
        until(lambda: single.statistics.computed_tokens >= 512)
        cancellation.cancel()
        with pytest.raises(Cancelled):
            running.result(timeout=10)
    text(single, *LONG, max_tokens=1)
    assert single.statistics.reused_tokens >= 512


def test_choice_is_made_while_its_own_answer_goes_on(single: LlamaEngine) -> None:
    answer = single.stream([SYSTEM, user(words(200))])
    said = next(answer)
    (chosen,) = single.choose([SYSTEM], ["yes, asked in between"], ["yes", "no"])
    assert chosen[0] > 0.99
    assert said + "".join(answer) == words(200)


def test_choice_does_not_wait_for_new_answers(single: LlamaEngine) -> None:
    answer = single.stream([user(words(300))])
    next(answer)
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(text, single, user(words(20, n))) for n in range(4)]
        until(lambda: single.statistics.waiting == 4)
        single.choose([SYSTEM], ["yes"], ["yes", "no"])
        assert single.statistics.waiting == 4
        assert list(answer)
        assert [other.result() for other in others] == [words(20, n) for n in range(4)]


def test_refused_choice_leaves_nothing_behind(single: LlamaEngine) -> None:
    with pytest.raises(PromptTooLong):
        single.choose(LONG * 3, ["yes"], ["yes", "no"])
    assert single.statistics.active == single.statistics.waiting == 0
