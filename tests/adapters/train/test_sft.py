"""Training learns answers alone, stops when it should, and goes on where it was killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import BaseMismatch, Diverged, TooLittleData
from adapters.models.base_model import libraries, load_full
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.runs.display import Silent
from adapters.runs.manifest import Manifest, Status, load
from adapters.settings import TrainTable
from adapters.train.sft import train
from tests.adapters import lessons

TABLE = TrainTable(
    batch_size=4,
    per_device_batch_size=2,
    epochs=2,
    validations=2,
    learning_rate=3e-3,
    rank=8,
    min_examples=4,
    threads=1,  # with other programs on the machine, far faster than two
)
ROOT = Path(__file__).parents[3]

# the same run as below, in a process that kills itself in the middle of a step
KILLED = """
import os, signal, sys
from pathlib import Path
from adapters.runs.display import Silent
from adapters.train.sft import train
from tests.adapters.train.test_sft import TABLE

class Killer(Silent):
    def move(self, done, note=""):
        if done == 5:
            os.kill(os.getpid(), signal.SIGKILL)

base, folder, examples, validation = map(Path, sys.argv[1:])
train(TABLE, base, folder, examples=examples, validation=validation, display=Killer())
"""


class Listener(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def tell(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    items = lessons.examples(20)
    return lessons.write(tmp_path_factory.mktemp("lesson"), items, validation=4)


@pytest.fixture(scope="module")
def trained(
    tiny_base: Path, lesson: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Manifest:
    return train(TABLE, tiny_base, tmp_path_factory.mktemp("run"), **lesson)


def history(manifest: Manifest) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = json.loads(manifest.output("history").read_text())
    return rows


def test_the_loss_falls_in_training_and_validation(trained: Manifest) -> None:
    losses = [row["loss"] for row in history(trained) if "loss" in row]
    validated = [row["eval_loss"] for row in history(trained) if "eval_loss" in row]
    assert len(losses) == trained.metrics["steps"] == 8
    assert losses[-1] < 0.7 * losses[0]
    assert validated[-1] < 0.7 * validated[0]


def test_an_adapter_is_left_with_its_curves_and_logs(trained: Manifest) -> None:
    adapter = trained.output("adapter")
    assert {path.name for path in adapter.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert trained.output("curves").read_bytes().startswith(b"\x89PNG")
    assert list((trained.folder / "tensorboard").glob("events.out.tfevents.*"))
    assert not (trained.folder / "unfinished").exists()


def test_finished_run_is_not_done_again(
    trained: Manifest, tiny_base: Path, lesson: dict[str, Path]
) -> None:
    assert train(TABLE, tiny_base, trained.folder, **lesson).run == trained.run


def test_loss_is_that_of_the_answers_alone(tiny_base: Path, tmp_path: Path) -> None:
    """The first step's loss, before anything is learned, against PyTorch's own of the base."""
    import torch

    items = lessons.examples(4)
    table = TABLE.model_copy(update={"method": "lora", "epochs": 1})
    run = train(table, tiny_base, tmp_path / "run", **lessons.write(tmp_path, items))
    tokenizer = PromptTokenizer(tiny_base)
    with libraries(), torch.no_grad():
        model = load_full(tiny_base, dtype=torch.float32, device="cpu")
        surprises: list[float] = []
        for item in items:
            row = tokenizer.tokens(item.messages, item.completion)
            scores = model(torch.tensor([row.prompt + row.answer])).logits[0].log_softmax(-1)
            places = range(len(row.prompt) - 1, len(row) - 1)
            surprises += [
                -scores[place, token].item()
                for place, token in zip(places, row.answer, strict=True)
            ]
    assert history(run)[0]["loss"] == pytest.approx(sum(surprises) / len(surprises), abs=1e-3)


def test_killed_run_goes_on_and_ends_in_the_very_same_adapter(
    trained: Manifest, tiny_base: Path, lesson: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    arguments = (tiny_base, folder, lesson["examples"], lesson["validation"])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, arguments)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert load(folder).status is Status.RUNNING
    listener = Listener()
    resumed = train(TABLE, tiny_base, folder, **lesson, display=listener)
    assert "Goes on from step 4." in listener.said
    assert resumed.metrics["steps"] == trained.metrics["steps"]
    assert resumed.outputs == trained.outputs


def test_training_stops_when_validation_no_longer_gains(tiny_base: Path, tmp_path: Path) -> None:
    """What is learned contradicts what is validated with."""
    learned = lessons.write(tmp_path / "learned", lessons.examples(16))
    others = lessons.write(tmp_path / "others", lessons.answered("Nobody knows.", 4))
    table = TABLE.model_copy(update={"epochs": 9, "patience": 1, "learning_rate": 2e-2})
    run = train(
        table,
        tiny_base,
        tmp_path / "run",
        examples=learned["examples"],
        validation=others["examples"],
    )
    assert run.metrics["stopped_early"]
    assert run.metrics["steps"] < run.metrics["planned_steps"] == 36
    best = min(row["eval_loss"] for row in history(run) if "eval_loss" in row)
    assert run.metrics["validation_loss"] == best


def test_whole_model_can_be_trained_for_comparison(
    tiny_base: Path, lesson: dict[str, Path], tmp_path: Path
) -> None:
    table = TABLE.model_copy(update={"method": "full", "epochs": 1, "learning_rate": 1e-3})
    run = train(table, tiny_base, tmp_path, **lesson)
    assert run.metrics["trained_parameters"] == run.metrics["parameters"]
    assert (run.output("model") / "model.safetensors").is_file()


def test_examples_that_are_too_long_are_left_out_whole(tiny_base: Path, tmp_path: Path) -> None:
    items = [*lessons.examples(8), *lessons.answered("word " * 200, 2)]
    table = TABLE.model_copy(update={"max_length": 64, "epochs": 1})
    listener = Listener()
    run = train(
        table, tiny_base, tmp_path / "run", **lessons.write(tmp_path, items), display=listener
    )
    assert (run.metrics["examples"], run.metrics["left_out"]) == (8, 2)
    assert any("Leaves out 2 examples" in sentence for sentence in listener.said)


def test_too_few_examples_are_refused(tiny_base: Path, tmp_path: Path) -> None:
    lesson = lessons.write(tmp_path, lessons.examples(3))
    with pytest.raises(TooLittleData, match="There are 3 examples"):
        train(TABLE, tiny_base, tmp_path / "run", **lesson)
    assert "There are 3 examples" in load(tmp_path / "run").reason


def test_base_with_damaged_weights_stops_the_run(
    tiny_base: Path, lesson: dict[str, Path], tmp_path: Path
) -> None:
    base = shutil.copytree(tiny_base, tmp_path / "base")
    _spoil(base / "model.safetensors")
    with pytest.raises(Diverged, match="at step 1 its loss is nan"):
        train(TABLE, base, tmp_path / "run", **lesson)


def test_quantized_base_is_refused(
    tiny_base: Path, lesson: dict[str, Path], tmp_path: Path
) -> None:
    base = shutil.copytree(tiny_base, tmp_path / "base")
    config = json.loads((base / "config.json").read_text()) | {"quantization_config": {}}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(BaseMismatch, match="quantized already"):
        train(TABLE, base, tmp_path / "run", **lesson)


def _spoil(weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors: dict[str, Any] = load_file(weights)
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
