"""A line compares its quantized file, opened as it would serve, with what serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.cli import main as cli
from adapters.errors import EvaluationError, ManifestError
from adapters.evaluate.comparison import read_comparison
from adapters.evaluate.exercise import ExerciseTable
from adapters.pipeline import TrainingPipeline
from adapters.runs.display import Silent
from adapters.runs.files import fingerprint
from adapters.runs.manifest import Run, run_stage
from adapters.settings import AdaptersSettings, AdaptersTable, EvaluateTable
from bot.domain.settings import ModelTable
from indexer.settings import FilesSource
from tests.adapters.evaluate.contest import team_dataset
from tests.adapters.team import PAGES


@pytest.fixture
def line(tmp_path: Path, cache_dir: Path, tiny_model: Path) -> TrainingPipeline:
    """Everything up to ``verify``, as the stages leave it, with the Parrot as both models."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for topic in ("meals", "hotel"):
        (pages / f"{topic}.md").write_text(f"# {topic}\n\n{PAGES[topic]}\n")
    settings = AdaptersSettings(
        data_dir=tmp_path / "data",
        cache_dir=cache_dir,
        sources=(FilesSource(name="handbook", path=pages, audience=("public",)),),
        model=ModelTable(path=tiny_model, slots=1, threads=1, answer_tokens=32),
        adapters=AdaptersTable(evaluate=EvaluateTable(min_questions=2, resamples=2000)),
    )
    made = TrainingPipeline(settings, "default", Silent())
    team_dataset(made.folder("dataset"), ("meals", "hotel"))

    def quantized(run: Run) -> None:
        run.outputs["gguf"] = run.folder / "model-Q4_K_M.gguf"
        shutil.copy(tiny_model, run.outputs["gguf"])

    run_stage("quantize", made.folder("quantize"), settings={}, inputs={}, work=quantized)
    run_stage("verify", made.folder("verify"), settings={}, inputs={}, work=lambda run: None)
    return made


def test_the_quantized_file_is_compared_with_what_serves(
    line: TrainingPipeline, tiny_model: Path
) -> None:
    manifest = line.evaluate()
    weights = fingerprint(tiny_model)
    assert manifest.inputs["candidate"] == manifest.inputs["serving"] == weights
    compared = {one.metric: one for one in read_comparison(manifest.output("comparison"))}
    assert compared["f1"].difference == 0.0
    assert line.evaluate().run == manifest.run


def test_only_a_verified_file_is_compared(line: TrainingPipeline) -> None:
    shutil.rmtree(line.folder("verify"))
    with pytest.raises(ManifestError, match="run the stage first"):
        line.evaluate()


def test_what_came_out_is_said_on_the_terminal(
    line: TrainingPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_pipeline", lambda name: line)
    said = CliRunner().invoke(cli.app, ["evaluate"])
    assert said.exit_code == 0, said.output
    assert "No difference between the candidate and the serving model" in said.output
    assert "report.html" in said.output


def test_the_exercise_needs_a_language_model(line: TrainingPipeline, tmp_path: Path) -> None:
    settings = line.settings.model_copy(update={"model": ModelTable()})
    without = TrainingPipeline(settings, "default", Silent())
    with pytest.raises(EvaluationError, match="needs a language model"):
        without.exercise(tmp_path, ExerciseTable(), None)
