"""Preferences begin at the trained adapter and move towards what people chose."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from adapters.dataset.examples import LabelledAnswer, PreferencePair
from adapters.errors import BaseMismatch, TooLittleData, TrainingError
from adapters.runs.manifest import Manifest
from adapters.settings import PreferTable, TrainTable
from adapters.train.preference import prefer
from adapters.train.sft import train
from tests.adapters import lessons
from tests.services.tiny_base import write_tiny_base

TRAIN = TrainTable(
    batch_size=4,
    per_device_batch_size=2,
    epochs=1,
    learning_rate=3e-3,
    rank=8,
    min_examples=4,
    threads=1,
)
DPO = PreferTable(
    method="dpo",
    batch_size=4,
    per_device_batch_size=2,
    epochs=2,
    validations=1,
    learning_rate=2e-3,
    min_examples=4,
    threads=1,
)
KTO = DPO.model_copy(update={"method": "kto"})


@pytest.fixture(scope="module")
def trained(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("trained")
    return train(TRAIN, tiny_base, folder / "run", **lessons.write(folder, lessons.examples(8)))


def write(
    folder: Path, items: list[PreferencePair] | list[LabelledAnswer], validation: int = 0
) -> dict[str, Path]:
    files = lessons.write(folder, items, validation=validation)
    return {"preferences": files["examples"], "validation": files["validation"]}


def history(manifest: Manifest) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = json.loads(manifest.output("history").read_text())
    return rows


@pytest.mark.parametrize(
    ("table", "items", "loss_of_no_difference"),
    [(DPO, lessons.pairs(12), math.log(2)), (KTO, lessons.thumbs(12), 0.5)],
    ids=["dpo", "kto"],
)
def test_begins_at_the_trained_adapter_and_learns_what_was_preferred(
    trained: Manifest,
    tiny_base: Path,
    tmp_path: Path,
    table: PreferTable,
    items: list[PreferencePair] | list[LabelledAnswer],
    loss_of_no_difference: float,
) -> None:
    run = prefer(table, trained, tiny_base, tmp_path / "run", **write(tmp_path, items, 4))
    rows = history(run)
    losses = [row["loss"] for row in rows if "loss" in row]
    validated = [row["eval_loss"] for row in rows if "eval_loss" in row]
    assert losses[0] == pytest.approx(loss_of_no_difference, abs=1e-4)
    assert validated[-1] < 0.9 * loss_of_no_difference
    assert run.outputs["adapter"].sha256 != trained.outputs["adapter"].sha256
    assert {path.name for path in run.output("adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_preferences_for_another_base_are_refused(trained: Manifest, tmp_path: Path) -> None:
    write_tiny_base(tmp_path / "llama", architecture="llama")
    files = write(tmp_path, lessons.pairs(8))
    with pytest.raises(BaseMismatch, match="not trained on the base model"):
        prefer(DPO, trained, tmp_path / "llama", tmp_path / "run", **files)


def test_a_model_trained_as_a_whole_has_no_adapter_to_go_on_with(
    tiny_base: Path, tmp_path: Path
) -> None:
    table = TRAIN.model_copy(update={"method": "full"})
    lesson = lessons.write(tmp_path / "lesson", lessons.examples(4))
    whole = train(table, tiny_base, tmp_path / "whole", **lesson)
    with pytest.raises(TrainingError, match="trained the whole model"):
        prefer(DPO, whole, tiny_base, tmp_path / "run", **write(tmp_path, lessons.pairs(8)))


def test_too_few_preferences_are_refused(
    trained: Manifest, tiny_base: Path, tmp_path: Path
) -> None:
    with pytest.raises(TooLittleData, match="There are 2 preferences"):
        prefer(DPO, trained, tiny_base, tmp_path / "run", **write(tmp_path, lessons.pairs(2)))
