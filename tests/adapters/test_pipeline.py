"""Stages find the runs before them, and the last trained adapter is what is merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.cli import main as cli
from adapters.errors import AdaptersSettingsError, ManifestError
from adapters.pipeline import TrainingPipeline, Work
from adapters.runs.display import Silent
from adapters.runs.manifest import Run, run_stage
from adapters.settings import AdaptersSettings, AdaptersTable, PreferTable, TrainTable
from tests.adapters import lessons

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


def a_line(folder: Path, base: Path | None, prefer: PreferTable = KTO) -> TrainingPipeline:
    table = AdaptersTable(base=base, train=TRAIN, prefer=prefer)
    return TrainingPipeline(AdaptersSettings(data_dir=folder, adapters=table), "default", Silent())


def write_dataset(line: TrainingPipeline, thumbs: int = 8) -> None:
    """As the dataset stage leaves it."""

    def work(run: Run) -> None:
        supervised = lessons.write(run.folder / "a", lessons.examples(8))
        preferences = lessons.write(run.folder / "b", lessons.thumbs(thumbs))
        run.outputs.update(
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
    pipeline = TrainingPipeline(settings, "default", Silent())
    done: list[tuple[str, Work]] = []
    with pytest.raises(ManifestError):  # nothing was done, so that nothing has finished
        pipeline.run(by="ana", step=lambda stage, work: done.append((stage, work)))
    assert tuple(stage for stage, _ in done) == pipeline.stages
    assert ("merge" in pipeline.stages) is (served == "merged")
    assert ("lora" in pipeline.stages) is (served == "adapter")


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
