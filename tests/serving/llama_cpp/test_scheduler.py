"""Whose tokens are computed when: seen in the batches that the real engine computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.llama_cpp.scheduler import PROMPT_PIECE
from tests.serving.llama_cpp.engines import (
    Holding,
    Recording,
    text,
    until,
    user,
    with_context,
    words,
)


def finishing_order(engine: LlamaEngine, context: Holding, lengths: list[int]) -> list[int]:
    """Ask prompts of these lengths in this order at once; in which order do they answer?"""
    done: list[int] = []

    def ask(number: int) -> None:
        text(engine, user(words(lengths[number], 20 * number)), max_tokens=1)
        done.append(number)

    def gathered(requests: int) -> bool:
        return engine.statistics.active + engine.statistics.waiting == requests

    with ThreadPoolExecutor(len(lengths)) as threads:
        for number in range(len(lengths)):
            threads.submit(ask, number)
            until(partial(gathered, number + 1))
        context.held = False
    return done


def test_short_prompts_overtake_long_ones(tiny_model: Path) -> None:
    engine, context = with_context(tiny_model, Holding, slots=4, cells=8192)
    # the first is in the batch that is held already; the others are there when it is computed
    order = finishing_order(engine, context, [300, 1500, 900, 400])
    assert order == [0, 3, 2, 1]
    engine.close()


def test_equal_prompts_are_computed_one_after_the_other(tiny_model: Path) -> None:
    engine, context = with_context(tiny_model, Holding, slots=4, cells=8192)
    assert finishing_order(engine, context, [500] * 4) == [0, 1, 2, 3]
    prompts = [batch for batch in context.batches if len(batch) > 4]
    assert all(len(set(batch)) <= 3 for batch in prompts)
    engine.close()


def test_long_prompt_is_not_overtaken_for_ever(tiny_model: Path) -> None:
    engine, _ = with_context(tiny_model, Recording, slots=3, cells=8192)
    rounds = 10
    with ThreadPoolExecutor(3) as threads:
        long = threads.submit(text, engine, user(words(1500)), max_tokens=1)
        until(lambda: engine.statistics.active == 1)

        def overtake(start: int) -> int:
            """One short prompt after another; how many it took until the long one was done."""
            for number in range(rounds):
                if long.done():
                    return number
                text(engine, user(words(500, start + 13 * number)), max_tokens=1)
            return rounds

        assert all(taken < rounds for taken in threads.map(overtake, (3, 70)))
        long.result()
    engine.close()


def test_batches_are_no_longer_than_a_piece_of_a_prompt(tiny_model: Path) -> None:
    engine, context = with_context(tiny_model, Holding, slots=4, cells=8192)
    finishing_order(engine, context, [700, 500, 900, 40])
    assert max(map(len, context.batches)) == PROMPT_PIECE
    engine.close()
