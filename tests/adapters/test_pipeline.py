"""Stages find the runs before them, and the last trained adapter is what is merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from adapters import pipeline
from adapters.cli import main as cli
from adapters.errors import AdaptersSettingsError, ManifestError
from adapters.pipeline import TrainingPipeline, Work
from adapters.runs.display import Silent
from adapters.runs.manifest import Run, run_stage
from adapters.settings import (
    AdaptersSettings,
    AdaptersTable,
    AiFeedback,
    DatasetTable,
    PreferTable,
    TrainTable,
)
from tests.adapters import lessons
from tests.adapters.short_pipeline import short_line

__all__ = ["short_line"]

TRAIN = TrainTable(
    batch_size=4,
    per_device_batch_size=2,
    epochs=1,
    learning_rate=3e-3,
    rank=4,
    min_examples=4,
    threads=1,
)
KTO = PreferTable(
    batch_size=4, per_device_batch_size=2, learning_rate=1e-3, min_examples=4, threads=1
)


def a_line(
    folder: Path,
    base: Path | None,
    prefer: PreferTable = KTO,
    ai_feedback: AiFeedback = "off",
) -> TrainingPipeline:
    dataset = DatasetTable(ai_feedback=ai_feedback)
    table = AdaptersTable(base=base, dataset=dataset, train=TRAIN, prefer=prefer)
    return TrainingPipeline(AdaptersSettings(data_dir=folder, adapters=table), "default", Silent())


def write_dataset(line: TrainingPipeline, thumbs: int = 8, ai_feedback: int = 0) -> None:
    """As the dataset stage leaves it."""

    def work(run: Run) -> None:
        supervised = lessons.write(run.folder / "a", lessons.examples(8))
        preferences = lessons.write(run.folder / "b", lessons.thumbs(thumbs))
        judged = lessons.write(run.folder / "c", lessons.thumbs(ai_feedback))
        run.outputs.update(
            ai_feedback=judged["examples"],
            train=supervised["examples"],
            validation=supervised["validation"],
            thumbs=preferences["examples"],
            thumbs_validation=preferences["validation"],
        )

    run_stage("dataset", line.folder("dataset"), settings={}, inputs={}, work=work)


def test_what_is_merged_is_the_adapter_that_was_trained_last(
    tiny_base: Path, tmp_path: Path
) -> None:
    line = a_line(tmp_path, tiny_base)
    write_dataset(line)
    trained = line.train()
    assert line.adapter().run == trained.run
    preferred = line.prefer()
    assert line.adapter().run == preferred.run
    assert line.merge().inputs["adapter"] == preferred.outputs["adapter"].sha256
    without = a_line(tmp_path, tiny_base, KTO.model_copy(update={"method": "none"}))
    assert without.adapter().run == trained.run


def test_ai_feedback_is_learned_beside_thumbs_where_the_settings_want_it(
    tiny_base: Path, tmp_path: Path
) -> None:
    line = a_line(tmp_path, tiny_base)
    write_dataset(line, thumbs=2, ai_feedback=6)
    line.train()
    assert line.perform("prefer", by="ana") is None
    judging = a_line(tmp_path, tiny_base, ai_feedback="preferences")
    preferred = judging.perform("prefer", by="ana")
    assert preferred is not None
    assert preferred.metrics["examples"] == 8
    labels = judging.finished("dataset").outputs["ai_feedback"]
    assert preferred.inputs["ai_feedback"] == labels.sha256


def test_no_model_is_opened_for_a_dataset_without_ai_feedback(
    short_line: AdaptersSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "open_models", None)
    made = TrainingPipeline(short_line, "default", Silent()).dataset()
    assert made.metrics["ai_feedback"] == 0


@pytest.mark.parametrize(
    "tables",
    [{"prefer": {"method": "dpo"}}, {"prefer": {"method": "none"}}, {"train": {"method": "full"}}],
)
def test_ai_feedback_that_no_trainer_would_read_is_refused(tables: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="which only KTO learns"):
        AdaptersTable(dataset=DatasetTable(ai_feedback="preferences"), **tables)  # type: ignore[arg-type]


def test_preferences_from_another_training_are_not_merged(tiny_base: Path, tmp_path: Path) -> None:
    line = a_line(tmp_path, tiny_base)
    write_dataset(line)
    line.train()
    line.prefer()
    table = line.table.model_copy(update={"train": TRAIN.model_copy(update={"seed": 1})})
    other = TrainingPipeline(
        line.settings.model_copy(update={"adapters": table}), "default", Silent()
    )
    trained = other.train()
    assert other.adapter().run == trained.run


def test_stage_whose_input_is_missing_says_which_to_run(tiny_base: Path, tmp_path: Path) -> None:
    line = a_line(tmp_path, tiny_base)
    with pytest.raises(ManifestError, match="run the stage first"):
        line.train()


def test_without_a_base_there_is_nothing_to_train(tmp_path: Path) -> None:
    line = a_line(tmp_path, None)
    write_dataset(line)
    with pytest.raises(AdaptersSettingsError, match="no base model"):
        line.train()


@pytest.mark.parametrize("served", ["merged", "adapter"])
def test_stages_are_done_in_the_order_that_their_names_are_listed_in(
    served: str, tmp_path: Path
) -> None:
    settings = AdaptersSettings(data_dir=tmp_path, adapters={"served": served})
    every = TrainingPipeline(settings, "default", Silent())
    done: list[tuple[str, Work]] = []
    with pytest.raises(ManifestError):  # nothing was done, so that nothing has finished
        every.run(by="ana", step=lambda stage, work: done.append((stage, work)))
    assert tuple(stage for stage, _ in done) == every.stages
    assert ("merge" in every.stages) is (served == "merged")
    assert ("lora" in every.stages) is (served == "adapter")


def test_a_stage_done_by_its_name_is_the_stage_of_the_run(tiny_base: Path, tmp_path: Path) -> None:
    line = a_line(tmp_path, tiny_base)
    write_dataset(line)
    trained = line.perform("train", by="ana")
    assert trained == line.train()
    few = a_line(tmp_path, tiny_base, KTO.model_copy(update={"min_examples": 9}))
    assert few.perform("prefer", by="ana") is None


@pytest.mark.parametrize("option", ["--name", "--line"])
def test_the_pipeline_is_named_by_the_option_and_its_older_name(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(cli.app, ["train", option, "support"])
    assert isinstance(refused.exception, ManifestError)
    assert str(Path("adapters", "support", "dataset")) in str(refused.exception)
    assert "--line" not in CliRunner().invoke(cli.app, ["train", "--help"]).output


def test_plan_is_said_without_training(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = a_line(tmp_path, tiny_base)
    write_dataset(line)
    monkeypatch.chdir(tmp_path)
    Path("lorebot.toml").write_text(
        f'data_dir = "{tmp_path}"\n[adapters.train]\nrank = 4\nleast_examples = 4\n'
    )
    said = CliRunner().invoke(cli.app, ["train", "--plan", "--base", str(tiny_base)])
    assert said.exit_code == 0, said.output
    assert "Trains 32,768 of 2,230,528 parameters" in " ".join(said.output.split())
    assert not line.folder("train").exists()
