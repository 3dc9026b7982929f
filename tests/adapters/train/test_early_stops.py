"""What cannot end well stops before it costs anything, with a sentence that says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import AdaptersError, BaseMismatch, DiskFull, Diverged, NotEnoughMemory
from adapters.errors import TooLittleData as TooLittle
from adapters.pipeline import TrainingPipeline
from adapters.runs.display import Silent
from adapters.runs.manifest import Run, Status, load, run_stage
from adapters.settings import AdaptersSettings, AdaptersTable, TrainTable
from tests.adapters import lessons
from tests.adapters.train.test_plan import LLAMA_8B

TRAIN = TrainTable(
    method="lora",
    batch_size=4,
    per_device_batch_size=4,
    epochs=1,
    rank=4,
    min_examples=4,
    threads=1,
)


@pytest.fixture
def base(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(tiny_base, tmp_path / "base")


def a_line(tmp_path: Path, base: Path, examples: int = 8) -> TrainingPipeline:
    """Its dataset is there; nothing else is."""

    def work(run: Run) -> None:
        lesson = lessons.write(run.folder, lessons.examples(examples))
        run.outputs.update(train=lesson["examples"], validation=lesson["validation"])

    settings = AdaptersSettings(
        data_dir=tmp_path / "data", adapters=AdaptersTable(base=base, train=TRAIN)
    )
    line = TrainingPipeline(settings, "default", Silent())
    run_stage("dataset", line.folder("dataset"), settings={}, inputs={}, work=work)
    return line


def stopped(
    line: TrainingPipeline, stage: str, kind: type[AdaptersError], words: Sequence[str]
) -> AdaptersError:
    """The stage refuses, the manifest says why, and nothing is left that could be built upon."""
    with pytest.raises(kind) as refusal:
        line.perform(stage, by="ana")
    for each in words:
        assert each in str(refusal.value)
    return refusal.value


def test_adapter_is_not_merged_onto_a_base_it_was_not_trained_on(
    base: Path, tmp_path: Path
) -> None:
    line = a_line(tmp_path, base)
    line.train()
    spoil(base / "model.safetensors", 0.5)
    stopped(line, "merge", BaseMismatch, ["another weights", "Name the base it was trained on"])
    assert not line.folder("merge").exists()


def test_another_chat_template_than_in_training_is_refused(base: Path, tmp_path: Path) -> None:
    line = a_line(tmp_path, base)
    line.train()
    template = base / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant", "bot"))
    stopped(line, "merge", BaseMismatch, ["another chat template", "train again"])
    assert not line.folder("merge").exists()


def test_loss_that_is_no_number_stops_at_the_first_step(base: Path, tmp_path: Path) -> None:
    spoil(base / "model.safetensors", float("nan"))
    line = a_line(tmp_path, base)
    stopped(line, "train", Diverged, ["at step 1 its loss is nan", "Lower learning_rate"])
    assert load(line.folder("train")).status is Status.FAILED


def test_too_few_examples_are_not_trained_on(base: Path, tmp_path: Path) -> None:
    line = a_line(tmp_path, base, examples=3)
    told = stopped(line, "train", TooLittle, ["There are 3 examples", "collect more votes"])
    assert load(line.folder("train")).reason == str(told)


def test_large_base_is_not_trained_on_a_processor(tmp_path: Path, base: Path) -> None:
    """Its weights are an empty file: they were not read."""
    (base / "model.safetensors").write_bytes(b"")
    (base / "config.json").write_text(json.dumps(LLAMA_8B))
    line = a_line(tmp_path, base)
    words = ["8.0 billion parameters needs a GPU", "choose a smaller base"]
    stopped(line, "train", NotEnoughMemory, words)


@pytest.mark.parametrize("stage", ["train", "merge", "convert"])
def test_full_disk_is_told_before_a_stage_computes(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, converter: object
) -> None:
    line = a_line(tmp_path, base)
    settings = line.settings.model_copy(update={"cache_dir": converter_cache(converter)})
    line = TrainingPipeline(settings, line.name, line.display)
    for before in {"train": [], "merge": ["train"], "convert": ["train", "merge"]}[stage]:
        line.perform(before, by="ana")
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    stopped(line, stage, DiskFull, ["1 MB free", "free some space and start again"])
    assert load(line.folder(stage)).status is Status.FAILED
    assert not load(line.folder(stage)).outputs


def converter_cache(converter: Any) -> Path:
    """The cache folder that a converter was found in."""
    return Path(converter.folder).parents[1]


def spoil(weights: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    tensors: dict[str, Any] = load_file(weights)
    tensors["model.norm.weight"][0] = value
    save_file(tensors, weights, metadata={"format": "pt"})
