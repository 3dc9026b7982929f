"""What an evaluation found, metric by metric: the values that promotion decides on, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.errors import EvaluationError
from adapters.runs.files import write_atomically


@dataclass(frozen=True, slots=True)
class Difference:
    """The candidate against the serving model in one metric.

    ``candidate`` and ``serving`` are means over the ``count`` questions that both were measured
    on; ``difference`` is candidate − serving, ``low``..``high`` its 95 % confidence interval.
    ``p_no_gain`` is the share of resamples in which the candidate is no better than the serving
    model. All are in the metric's own unit: most in 0..1, seconds and tokens a second not.
    """

    metric: str
    candidate: float
    serving: float
    difference: float
    low: float
    high: float
    higher_is_better: bool
    count: int
    p_no_gain: float = 1.0

    @property
    def gain(self) -> float:
        """The difference, positive where the candidate is better."""
        return self.difference if self.higher_is_better else -self.difference

    @property
    def is_better(self) -> bool:
        """The whole interval lies on the better side."""
        return self.low > 0 if self.higher_is_better else self.high < 0

    @property
    def is_worse(self) -> bool:
        """The whole interval lies on the worse side."""
        return self.high < 0 if self.higher_is_better else self.low > 0


def write_comparison(path: Path, differences: Sequence[Difference]) -> None:
    rows = [asdict(difference) for difference in differences]
    write_atomically(path, json.dumps({"differences": rows}, indent=2, allow_nan=False) + "\n")


def read_comparison(path: Path) -> list[Difference]:
    """What ``write_comparison`` wrote. Raises EvaluationError where it is missing or damaged."""
    try:
        return [Difference(**row) for row in json.loads(path.read_text("utf-8"))["differences"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EvaluationError(
            f"The comparison {path} cannot be read ({type(error).__name__}); run evaluate again."
        ) from error
