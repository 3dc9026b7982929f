"""A candidate for promotion as the stages before leave it: real manifests around a small file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from adapters.evaluate.comparison import Difference, write_comparison
from adapters.promote.promote import Candidate
from adapters.runs.manifest import Run, run_stage
from tests.services.model_files import write_gguf


def measured(
    metric: str = "f1",
    candidate: float = 0.8,
    serving: float = 0.5,
    *,
    low: float = 0.2,
    high: float = 0.4,
    higher_is_better: bool = True,
    count: int = 40,
) -> Difference:
    return Difference(
        metric,
        candidate,
        serving,
        candidate - serving,
        low,
        high,
        higher_is_better=higher_is_better,
        count=count,
    )


def a_candidate(
    folder: Path,
    differences: Sequence[Difference] | None = None,
    *,
    file: str = "tuned",
    serving: str = "",
    evaluated: str = "",
    verified: str = "",
    base: Path | None = None,
) -> Candidate:
    """``serving`` is the identity of what it was compared with; ``evaluated`` and ``verified``
    those of other files than the candidate's, where one of them shall be another. With the file
    ``base`` it is an adapter for that.
    """

    def dataset(run: Run) -> None:
        run.outputs["train"] = run.folder / "train.jsonl"
        run.outputs["train"].write_text('{"taught": 1}\n')
        run.metrics["examples"] = {"train": 1}

    def make(run: Run) -> None:
        run.outputs["gguf"] = write_gguf(run.folder / f"{file}.gguf", adapter=bool(base))

    def evaluate(run: Run) -> None:
        run.outputs["comparison"] = run.folder / "comparison.json"
        write_comparison(run.outputs["comparison"], differences or [measured()])
        run.metrics["verdict"] = "The candidate is better."

    def keep_base(run: Run) -> None:
        run.outputs["gguf"] = run.folder / "base.gguf"
        shutil.copyfile(base or "", run.outputs["gguf"])

    data = run_stage("dataset", folder / "dataset", settings={}, inputs={}, work=dataset)
    made = run_stage("quantize", folder / "quantize", settings={}, inputs={"of": file}, work=make)
    sha256 = made.outputs["gguf"].sha256
    whole = base and run_stage("base", folder / "base", settings={}, inputs={}, work=keep_base)
    beside = whole.outputs["gguf"].sha256 if whole else ""
    measured_as = f"{beside} candidate@{sha256[:12]}" if whole else sha256
    checked = run_stage(
        "verify",
        folder / "verify",
        settings={},
        inputs={"Q8_0": verified or sha256, "base": beside},
        work=lambda run: None,
    )
    compared = run_stage(
        "evaluate",
        folder / "evaluate",
        settings={},
        inputs={"candidate": evaluated or measured_as, "serving": serving, "of": file},
        work=evaluate,
    )
    return Candidate(made, [checked], compared, (data, made, checked, compared), whole or None)
