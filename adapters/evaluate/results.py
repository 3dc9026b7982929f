"""Measured answers, one per line: kept as they come, so that a killed evaluation goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, TypeAdapter, ValidationError

from adapters.evaluate.metrics import METRICS

Means = dict[str, dict[str, float]]
"""By system, then by metric."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one system answered to one question, or to a general example.

    ``reference`` is the expected answer, "" where the documents hold none; ``cited`` are the
    chunks it cites, in the order of their numbers; ``scores`` are by metric.
    """

    system: Annotated[str, Field(validation_alias=AliasChoices("system", "contestant"))]
    question_id: str
    question: str
    reference: str
    text: str
    refused: bool
    cited: tuple[str, ...]
    scores: dict[str, float]


_RESULT = TypeAdapter(Result)


class Ledger:
    """Results in the order in which they were measured, in a JSON Lines file that only grows."""

    def __init__(self, path: Path) -> None:
        """Goes on with what is there; a line that was cut off is measured again."""
        self._path = path
        self.results = list(_whole_lines(path)) if path.exists() else []
        write_results(path, self.results)
        self._known = {(one.system, one.question_id) for one in self.results}

    def __contains__(self, measured: tuple[str, str]) -> bool:
        """Whether this system has answered the question of that id."""
        return measured in self._known

    def add(self, result: Result) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(result))
        self.results.append(result)
        self._known.add((result.system, result.question_id))


def write_results(path: Path, results: Iterable[Result]) -> Path:
    path.write_text("".join(map(_line, results)), encoding="utf-8")
    return path


def read_results(path: Path) -> list[Result]:
    """Raises ValidationError for a damaged line."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [_RESULT.validate_json(line) for line in lines if line]


def by_system(results: Sequence[Result]) -> dict[str, dict[str, Result]]:
    """Results by system, then by question."""
    found: dict[str, dict[str, Result]] = {}
    for one in results:
        found.setdefault(one.system, {})[one.question_id] = one
    return found


def means(results: Sequence[Result]) -> Means:
    """Of each metric over the questions it applies to; systems in the order they answered."""
    return {
        system: {
            metric: sum(values) / len(values)
            for metric in METRICS
            if (values := [one.scores[metric] for one in each.values() if metric in one.scores])
        }
        for system, each in by_system(results).items()
    }


def _whole_lines(path: Path) -> Iterable[Result]:
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            yield _RESULT.validate_json(line)
        except ValidationError:
            return


def _line(result: Result) -> str:
    return json.dumps(asdict(result), ensure_ascii=False, sort_keys=True) + "\n"
