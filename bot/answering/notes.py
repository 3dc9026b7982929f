"""What is noted while one question is answered: judgements and durations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.domain.values import Reflection
from bot.telemetry.spans import span


@dataclass(slots=True)
class Notes:
    """``seconds`` maps each stage to its duration, added up where it was done twice."""

    reflections: list[Reflection] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def reflect(self, kind: str, subject: str, probability: float) -> None:
        self.reflections.append(Reflection(kind, subject, probability))

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            with span(stage):
                yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + spent, 4)
