"""Fifty threads that ask one engine everything at once, and leave in every way, for minutes.

Run with ``make bench NAME=hammer``, or ``python -m tests.benchmarks.hammer --minutes 10``. Answers
are cancelled, closed, timed out or finished; prompts are too long; choices are asked in the middle
of answers; an adapter and a JSON schema are used; the engine is replaced and closed under its
callers. The model repeats what it is told, so every text says by itself whether it is the one that
a single run gives. The last line is one JSON object; ``mismatches`` must be 0.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from bot.domain.errors import Cancelled, ModelBusy, ModelError, PromptTooLong
from bot.domain.values import Message
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Cancellation, Sampling
from tests.services.tiny_adapter import write_tiny_adapter
from tests.services.tiny_model import distinct_text, write_tiny_model

SYSTEM = Message("system", "You answer from the handbook. " + distinct_text(80))
SCHEMA = '{"enum": ["supported", "contradicted"]}'
CONTEXT_TOKENS, SLOTS = 1024, 2
SECONDS_BETWEEN_SWAPS = 2.0
WARM_UP = 0.2  # share of the time after which memory must not grow any more


class Hammer:
    """Asks engines of the model in ``folder`` until the time is over."""

    def __init__(self, folder: Path, *, threads: int, seconds: float) -> None:
        self._model, self._adapter = folder / "parrot.gguf", folder / "no.gguf"
        write_tiny_model(self._model)
        write_tiny_adapter(self._adapter, "Ġno")
        self._threads = threads
        self._seconds = seconds
        self._end = 0.0
        self._count: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._engine = self._load()

    def run(self) -> dict[str, float]:
        """What happened how often, and the resident memory in MB after warming up and at the end.

        Whatever no caller should ever see is raised.
        """
        self._end = time.monotonic() + self._seconds
        with ThreadPoolExecutor(self._threads + 2) as pool:
            callers = [pool.submit(self._ask_until_the_end, seed) for seed in range(self._threads)]
            swaps = pool.submit(self._swap_until_the_end)
            memory = pool.submit(self._memory_after_warming_up)
            for caller in callers:
                caller.result()
            swaps.result()
        left, resident = self._engine.statistics, _resident_megabytes()
        self._engine.close()
        return {
            "threads": self._threads,
            "seconds": self._seconds,
            **dict(sorted(self._count.items())),
            "mismatches": self._count["mismatches"],
            "left_active": left.active + left.waiting,
            "rss_mb_warm": memory.result(),
            "rss_mb_end": resident,
        }

    def _load(self) -> LlamaEngine:
        return LlamaEngine.load(
            self._model,
            context_tokens=CONTEXT_TOKENS,
            slots=SLOTS,
            threads=1,
            adapters={"no": self._adapter},
        )

    def _swap_until_the_end(self) -> None:
        while time.monotonic() < self._end - SECONDS_BETWEEN_SWAPS:
            time.sleep(SECONDS_BETWEEN_SWAPS)
            outgoing, self._engine = self._engine, self._load()
            with self._lock:
                self._count["preemptions"] += outgoing.statistics.preemptions
                self._count["produced_tokens"] += outgoing.statistics.produced_tokens
            outgoing.close()
            self._note("swaps")

    def _memory_after_warming_up(self) -> float:
        time.sleep(WARM_UP * self._seconds)
        return _resident_megabytes()

    def _ask_until_the_end(self, seed: int) -> None:
        dice = random.Random(seed)
        ways: list[Callable[[LlamaEngine, random.Random], None]] = [
            *[self._finish, self._judge_meanwhile, self._cancel] * 3,
            *[self._close, self._time_out, self._choose, self._adapted, self._constrained],
            self._overflow,
        ]
        while time.monotonic() < self._end:
            way = dice.choice(ways)
            self._note("requests")
            try:
                way(self._engine, dice)
            except PromptTooLong:
                self._note("too_long")
            except ModelBusy:
                self._note("busy")
                time.sleep(dice.random() / 5)
            except Cancelled:
                self._note("cancelled")
            except ModelError as error:
                if "closed" not in str(error):
                    raise
                self._note("closed_under_caller")
            else:
                self._note("finished")

    def _finish(self, engine: LlamaEngine, dice: random.Random) -> None:
        said = distinct_text(dice.randrange(5, 150), dice.randrange(151))
        self._expect(said, "".join(engine.stream([SYSTEM, Message("user", said)])))

    def _judge_meanwhile(self, engine: LlamaEngine, dice: random.Random) -> None:
        """As Self-RAG does: a choice about the answer so far, asked in the middle of it."""
        said = distinct_text(dice.randrange(20, 100), dice.randrange(151))
        asked = [SYSTEM, Message("user", said)]
        heard = ""
        for place, piece in enumerate(engine.stream(asked)):
            heard += piece
            if place == 10:
                self._choose(engine, dice, [*asked, Message("assistant", heard)])
        self._expect(said, heard)

    def _cancel(self, engine: LlamaEngine, dice: random.Random) -> None:
        cancellation = Cancellation()
        said = distinct_text(dice.randrange(5, 400), dice.randrange(151))
        alarm = threading.Timer(dice.random() / 3, cancellation.cancel)
        alarm.start()
        try:
            self._expect_beginning(said, engine, dice.randrange(400), cancellation)
        finally:
            alarm.cancel()

    def _close(self, engine: LlamaEngine, dice: random.Random) -> None:
        said = distinct_text(100, dice.randrange(151))
        self._expect_beginning(said, engine, dice.randrange(60), Cancellation())

    def _time_out(self, engine: LlamaEngine, dice: random.Random) -> None:
        said = distinct_text(dice.randrange(5, 400), dice.randrange(151))
        self._expect_beginning(said, engine, 400, Cancellation.after(dice.random() / 3))

    def _choose(
        self, engine: LlamaEngine, dice: random.Random, prefix: list[Message] | None = None
    ) -> None:
        words = [dice.choice(["yes", "no"]) for _ in range(dice.randrange(1, 12))]
        asked = [f"{word}, {distinct_text(5, dice.randrange(151))}" for word in words]
        cancellation = Cancellation.after(dice.choice([0.1, 60]))
        # long ones of their own push out what was kept
        own = Message("user", distinct_text(dice.choice([10, 840]), dice.randrange(151)))
        prefix = prefix or [SYSTEM, own]
        chosen = engine.choose(prefix, asked, ["yes", "no"], cancellation)
        self._expect(words, ["yes" if yes > no else "no" for yes, no in chosen])

    def _adapted(self, engine: LlamaEngine, dice: random.Random) -> None:
        count = dice.randrange(1, 60)
        asked = [SYSTEM, Message("user", distinct_text(20, dice.randrange(151)))]
        model = engine.with_adapter("no")
        self._expect(" no" * count, "".join(model.stream(asked, Sampling(max_tokens=count))))

    def _constrained(self, engine: LlamaEngine, dice: random.Random) -> None:
        asked = [SYSTEM, Message("user", distinct_text(20, dice.randrange(151)))]
        text = "".join(engine.stream(asked, Sampling(json_schema=SCHEMA)))
        self._expect(True, json.loads(text) in ("supported", "contradicted"))

    def _overflow(self, engine: LlamaEngine, dice: random.Random) -> None:
        list(engine.stream([Message("user", distinct_text(CONTEXT_TOKENS, dice.randrange(151)))]))

    def _expect_beginning(
        self, said: str, engine: LlamaEngine, pieces: int, cancellation: Cancellation
    ) -> None:
        answer = engine.stream(
            [SYSTEM, Message("user", said)], Sampling(max_tokens=450), cancellation
        )
        heard = "".join(islice(answer, pieces))
        self._expect(said[: len(heard)], heard)

    def _expect(self, expected: object, seen: object) -> None:
        if seen != expected:
            self._note("mismatches")
            print(f"expected {expected!r}\n    seen {seen!r}")

    def _note(self, event: str) -> None:
        with self._lock:
            self._count[event] += 1


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * 4096 / 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hammer one engine from many threads.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hammer = Hammer(Path(folder), threads=arguments.threads, seconds=60 * arguments.minutes)
        print(json.dumps(hammer.run()))


if __name__ == "__main__":
    main()
