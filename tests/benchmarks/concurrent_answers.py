"""Eight questions at once: first words, throughput, warm starts, fairness and cancellation.

Run with ``make bench NAME=concurrent_answers``. The model has half a billion random parameters in 4
bit (half_billion.py); prompts have 450 tokens, the first 200 of which all share,
and answers 150. The last line is one JSON object:

- ``first_word_ratio``: the mean time to the first word over that of first come, first served, for
  which one caller asks the same engine one question after the other;
- ``throughput_ratio``: tokens of answers a second over llama-cpp-python's ``Llama``, one question
  after the other, with its prefix cache;
- ``warm_ratio``: a cold thread of 1,500 tokens over its next question, or over the same question
  asked again, whichever is less;
- ``overtaken``: how many of an endless flood of later and shorter questions got their first word
  before a long one did;
- ``cancel_steps``: batches, at most, from a cancellation until the next in line is served;
- ``slowest_ratio``: the last first word over the last first word of first come, first served.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from statistics import mean, median

from llama_cpp import Llama

from bot.domain.errors import Cancelled
from bot.domain.values import Message
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Cancellation, Sampling
from indexer.settings import IndexSettings
from tests.benchmarks import judged_answer_peers as peers
from tests.benchmarks.apart import Apart
from tests.benchmarks.half_billion import half_billion
from tests.benchmarks.questions import Cases

QUESTIONS, SHARED_TOKENS, OWN_TOKENS, ANSWER_TOKENS = 8, 200, 250, 150
THREAD_TOKENS, FOLLOW_UP_TOKENS = 1500, 12
CONTEXT_TOKENS = 2048
FLOOD, LONG_ANSWER = 32, 500

Prompt = tuple[Message, ...]
Way = Callable[[Sequence[Prompt]], list["Times"]]


@dataclass(frozen=True, slots=True)
class Times:
    """Of one answer, in seconds since the first question was asked."""

    first_word: float
    finished: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slots", type=int, default=QUESTIONS)
    arguments = parser.parse_args()
    path = half_billion(IndexSettings().cache_dir / "benchmarks")
    slots = arguments.slots
    with (
        Apart(partial(peers.load, path, CONTEXT_TOKENS)) as llama,
        closing(LlamaEngine.load(path, context_tokens=CONTEXT_TOKENS, slots=slots)) as engine,
    ):
        prompts = Prompts(Cases(engine))
        result = (
            _many_at_once(engine, llama, prompts, arguments.rounds)
            | {"warm_ratio": _warm_ratio(engine, prompts, arguments.rounds)}
            | {"overtaken": _overtaken(engine, prompts)}
            | {"cancel_steps": max(_cancel_steps(engine, prompts, slots) for _ in range(5))}
        )
    print(json.dumps(result | {"slots": slots, "rounds": arguments.rounds}))


class Prompts:
    """The same system prompt, and each time another question."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._system = Message("system", cases.text(SHARED_TOKENS))

    def new(self, tokens: int = OWN_TOKENS) -> Prompt:
        return (self._system, Message("user", self._cases.text(tokens)))

    def several(self) -> list[Prompt]:
        return [self.new() for _ in range(QUESTIONS)]


def together(engine: LlamaEngine, prompts: Sequence[Prompt]) -> list[Times]:
    """Everybody asks at the same moment."""
    with ThreadPoolExecutor(len(prompts)) as askers:
        start = time.perf_counter()
        return list(askers.map(lambda prompt: _times(_answer(engine, prompt), start), prompts))


def in_order(engine: LlamaEngine, prompts: Sequence[Prompt]) -> list[Times]:
    """First come, first served."""
    start = time.perf_counter()
    return [_times(_answer(engine, prompt), start) for prompt in prompts]


def on_llama(llama: Llama, prompts: Sequence[list[int]]) -> list[Times]:
    """The same in order, on llama-cpp-python's own class; prompts as tokens."""
    start = time.perf_counter()
    return [_times(_completion(llama, prompt), start) for prompt in prompts]


def _answer(engine: LlamaEngine, prompt: Prompt) -> Iterator[str]:
    return engine.stream(prompt, Sampling(max_tokens=ANSWER_TOKENS))


def _completion(llama: Llama, tokens: list[int]) -> Iterator[str]:
    pieces = llama.create_completion(tokens, max_tokens=ANSWER_TOKENS, temperature=0.0, stream=True)
    # its last piece is empty and only says why it ended
    return (text for piece in pieces if (text := piece["choices"][0]["text"]))


def _times(pieces: Iterator[str], start: float) -> Times:
    """The random model writes a word a token and never ends early."""
    next(pieces)
    first_word = time.perf_counter() - start
    words = 1 + sum(1 for _ in pieces)
    if words != ANSWER_TOKENS:
        raise SystemExit(f"An answer has {words} words, not {ANSWER_TOKENS}.")
    return Times(first_word, time.perf_counter() - start)


def _many_at_once(
    engine: LlamaEngine, llama: Apart[Llama], prompts: Prompts, rounds: int
) -> dict[str, float]:
    """In turns, so that the machine's other work slows all alike; the first turn only warms."""
    ways: dict[str, Way] = {
        "together": lambda asked: together(engine, asked),
        "in_order": lambda asked: in_order(engine, asked),
        "llama": lambda asked: llama.do(on_llama, [engine.tokens(one) for one in asked]),
    }
    taken: dict[str, list[list[Times]]] = {name: [] for name in ways}
    for _ in range(1 + rounds):
        for name, way in ways.items():
            taken[name].append(way(prompts.several()))
    first = {name: median(map(_mean_first, each[1:])) for name, each in taken.items()}
    last = {name: median(map(_last_first, each[1:])) for name, each in taken.items()}
    wall = {name: median(map(_wall, each[1:])) for name, each in taken.items()}
    return {
        "first_word_ratio": round(first["together"] / first["in_order"], 3),
        "throughput_ratio": round(wall["llama"] / wall["together"], 3),
        "slowest_ratio": round(last["together"] / last["in_order"], 3),
        **{f"{name}_first_word_seconds": round(value, 2) for name, value in first.items()},
        **{
            f"{name}_tokens_per_second": round(QUESTIONS * ANSWER_TOKENS / value, 1)
            for name, value in wall.items()
        },
    }


def _mean_first(times: Sequence[Times]) -> float:
    return mean(one.first_word for one in times)


def _last_first(times: Sequence[Times]) -> float:
    return max(one.first_word for one in times)


def _wall(times: Sequence[Times]) -> float:
    return max(one.finished for one in times)


def _warm_ratio(engine: LlamaEngine, prompts: Prompts, rounds: int) -> float:
    cold, again, following = [], [], []
    for _ in range(rounds):
        thread = prompts.new(THREAD_TOKENS - SHARED_TOKENS)
        start = time.perf_counter()
        pieces = _answer(engine, thread)
        said = next(pieces)
        cold.append(time.perf_counter() - start)
        said += "".join(pieces)
        again.append(_first_word(engine, thread))
        follow_up = prompts.new(FOLLOW_UP_TOKENS)[-1]
        following.append(_first_word(engine, (*thread, Message("assistant", said), follow_up)))
    return round(median(cold) / max(median(again), median(following)), 1)


def _first_word(engine: LlamaEngine, prompt: Prompt) -> float:
    start = time.perf_counter()
    cancellation = Cancellation()
    next(engine.stream(prompt, Sampling(max_tokens=ANSWER_TOKENS), cancellation))
    cancellation.cancel()
    return time.perf_counter() - start


def _overtaken(engine: LlamaEngine, prompts: Prompts) -> int:
    """One long question comes after the first of a flood of short ones, all waiting at once."""
    before = engine.statistics.produced_tokens
    arrived, served = threading.Event(), threading.Event()
    overtaking = []
    asked = [prompts.new() for _ in range(FLOOD)]

    def flood(own: Sequence[Prompt]) -> None:
        for prompt in own:
            came_later = arrived.is_set()
            for count, _ in enumerate(_answer(engine, prompt)):
                if count == 0 and came_later and not served.is_set():
                    overtaking.append(prompt)
            if served.is_set():
                return

    with ThreadPoolExecutor(QUESTIONS) as askers:
        floods = [askers.submit(flood, asked[first::QUESTIONS]) for first in range(QUESTIONS)]
        _wait_until(lambda: engine.statistics.produced_tokens > before)
        arrived.set()
        _first_word(engine, prompts.new(THREAD_TOKENS - SHARED_TOKENS))
        served.set()
        for one in floods:
            one.result()
    return len(overtaking)


def _cancel_steps(engine: LlamaEngine, prompts: Prompts, slots: int) -> int:
    """Batches from cancelling one of the running answers until a waiting one has its slot."""

    def ask(cancellation: Cancellation) -> None:
        with suppress(Cancelled):
            for _ in engine.stream(prompt, Sampling(max_tokens=LONG_ANSWER), cancellation):
                pass

    prompt = prompts.new()
    cancellations = [Cancellation() for _ in range(slots + 1)]
    with ThreadPoolExecutor(slots + 1) as askers:
        for number, cancellation in enumerate(cancellations, start=1):
            askers.submit(ask, cancellation)
            _wait_until(lambda: _present(engine) == number)  # noqa: B023
        _wait_until(lambda: engine.statistics.waiting == 1)
        before = engine.statistics.batches
        cancellations[0].cancel()
        _wait_until(lambda: engine.statistics.waiting == 0)
        steps = engine.statistics.batches - before
        for cancellation in cancellations:
            cancellation.cancel()
    return steps


def _present(engine: LlamaEngine) -> int:
    statistics = engine.statistics
    return statistics.active + statistics.waiting


def _wait_until(reached: Callable[[], bool]) -> None:
    while not reached():
        time.sleep(0.0005)


if __name__ == "__main__":
    main()
