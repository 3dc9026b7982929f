"""What is computed once and shared, and what happens when the cache is full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from bot.domain.values import Message
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Sampling
from tests.serving.llama_cpp.engines import (
    SYSTEM,
    Holding,
    Recording,
    load,
    text,
    until,
    user,
    with_context,
    words,
)

WILD = Sampling(max_tokens=60, temperature=1.0, top_p=1.0, min_p=0.0)


@pytest.fixture
def random_engine(random_model: Path) -> Iterator[LlamaEngine]:
    engine = load(random_model)
    yield engine
    engine.close()


def test_simultaneous_questions_compute_their_common_beginning_once(tiny_model: Path) -> None:
    engine, context = with_context(tiny_model, Holding, slots=9, cells=9216)
    system = Message("system", words(100))
    questions = [user(words(40, 11 * n)) for n in range(8)]
    shared = engine.count([system])
    all_apart = sum(engine.count([system, question]) for question in questions)
    first = user("I am in the batch that is held.")
    all_apart += engine.count([first])
    with ThreadPoolExecutor(9) as threads:
        threads.submit(text, engine, first)
        until(lambda: engine.statistics.active == 1)
        answers = [threads.submit(text, engine, system, question) for question in questions]
        until(lambda: engine.statistics.active + engine.statistics.waiting == 9)
        context.held = False
        assert [answer.result() for answer in answers] == [words(40, 11 * n) for n in range(8)]
    prompts = engine.statistics.computed_tokens - engine.statistics.produced_tokens
    assert prompts < all_apart - 7 * shared + 8 * 5  # the mark that ends a turn is not shared
    engine.close()


class TestSpokenText:
    def test_answer_so_far_is_not_computed_again_to_be_judged(
        self, random_engine: LlamaEngine
    ) -> None:
        asked = [SYSTEM, user("Say something.")]
        answer = random_engine.stream(asked, WILD)
        heard = "".join(islice(answer, 30))
        said = Message("assistant", heard)
        usual = random_engine._weights.tokenize(heard, control=False)
        spoken = random_engine._spoken.tokenize(heard)
        assert usual != spoken
        before = random_engine.statistics.reused_tokens
        random_engine.choose([*asked, said], ["Is it so?", "Or not?"], ["yes", "no"])
        reused = random_engine.statistics.reused_tokens - before
        assert reused >= random_engine.count(asked) + len(spoken) - 2
        answer.close()  # type: ignore[attr-defined]

    def test_thread_goes_on_where_it_ended(self, random_engine: LlamaEngine) -> None:
        asked = [SYSTEM, user("Say something.")]
        said = Message("assistant", "".join(random_engine.stream(asked, WILD)))
        before = random_engine.statistics.reused_tokens
        list(random_engine.stream([*asked, said, user("Go on.")], WILD))
        reused = random_engine.statistics.reused_tokens - before
        assert reused >= random_engine.count(asked) + WILD.max_tokens - 3


class TestFullCache:
    def test_latest_request_makes_room_and_is_computed_again_later(self, tiny_model: Path) -> None:
        engine, _ = with_context(tiny_model, Recording, slots=4, cells=1024)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda n: text(engine, user(words(300, 20 * n))), range(4)))
        assert answers == [words(300, 20 * n) for n in range(4)]
        assert engine.statistics.preemptions > 0
        engine.close()

    def test_preempted_answer_goes_on_in_the_state_its_sampler_was_in(
        self, tiny_model: Path
    ) -> None:
        items = {"items": {"enum": ["supported", "contradicted"]}, "minItems": 30, "maxItems": 30}
        schema = json.dumps({"type": "array", **items})
        engine, _ = with_context(tiny_model, Recording, slots=3, cells=768)
        with ThreadPoolExecutor(3) as threads:
            answers = list(
                threads.map(
                    lambda n: text(engine, user(words(60, 30 * n)), json_schema=schema), range(3)
                )
            )
        assert engine.statistics.preemptions > 0
        assert [len(json.loads(answer)) for answer in answers] == [30] * 3
        engine.close()

    def test_choices_of_preempted_requests_are_right(self, tiny_model: Path) -> None:
        engine, _ = with_context(tiny_model, Recording, slots=2, cells=1024)
        continuations = [f"{word}, {words(30, n)}" for n, word in enumerate(["yes", "no"] * 4)]

        def choose(start: int) -> list[int]:
            chosen = engine.choose([user(words(500, start))], continuations, ["yes", "no"])
            return [round(yes) for yes, _ in chosen]

        with ThreadPoolExecutor(4) as threads:
            texts = [threads.submit(text, engine, user(words(300, n))) for n in (5, 50)]
            until(lambda: engine.statistics.produced_tokens > 0)
            choices = [threads.submit(choose, start) for start in (10, 80)]
            assert [future.result() for future in choices] == [[1, 0] * 4] * 2
            assert [future.result() for future in texts] == [words(300, n) for n in (5, 50)]
        assert engine.statistics.preemptions > 0
        engine.close()
