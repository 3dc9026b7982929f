"""QLoRA on a real GPU: a small base end to end, and one of 8 billion parameters within 24 GB.

Skipped without CUDA. The large base has random weights, is written to the temporary folder (16 GB)
and needs the GPU alone: ``python -m pytest tests/gpu``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from adapters.export.merge import merge
from adapters.models.base_model import device, libraries
from adapters.runs.manifest import Manifest
from adapters.settings import MergeTable, TrainTable
from adapters.train.sft import train
from tests.adapters import lessons
from tests.services.tiny_base import tiny_base

__all__ = ["tiny_base"]

GIGABYTE = 2**30
LARGE_DISK = 40 * GIGABYTE


@pytest.fixture(autouse=True)
def gpu() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU with CUDA")


def losses(manifest: Manifest) -> list[float]:
    rows = json.loads(manifest.output("history").read_text())
    return [row["loss"] for row in rows if "loss" in row]


def test_small_base_learns_and_merges(tiny_base: Path, tmp_path: Path) -> None:
    assert device().is_gpu
    table = TrainTable(
        batch_size=4, per_device_batch_size=2, epochs=3, learning_rate=3e-3, min_examples=4
    )
    lesson = lessons.write(tmp_path, lessons.examples(20), validation=4)
    trained = train(table, tiny_base, tmp_path / "train", **lesson)
    assert losses(trained)[-1] < 0.7 * losses(trained)[0]
    merged = merge(MergeTable(precision="float32"), trained, tiny_base, tmp_path / "merge")
    assert merged.metrics["largest_difference"] <= 1e-4


@pytest.mark.timeout(1800)
def test_base_of_8_billion_parameters_trains_within_24_gigabytes(
    tiny_base: Path, tmp_path: Path
) -> None:
    import torch

    if shutil.disk_usage(tmp_path).free < LARGE_DISK:
        pytest.skip("needs 40 GB of disk")
    base = write_large_base(tiny_base, tmp_path / "base")
    long = "The office is on the third floor of the old mill. " * 60
    lesson = lessons.write(tmp_path, lessons.answered(long, 24))
    table = TrainTable(
        batch_size=4, per_device_batch_size=1, epochs=2, learning_rate=2e-4, min_examples=4
    )
    torch.cuda.reset_peak_memory_stats()
    trained = train(table, base, tmp_path / "train", **lesson)
    figures = {name: trained.metrics[name] for name in ("tokens_per_second", "peak_memory")}
    print(figures | {"planned_memory": trained.metrics["planned_memory"]})
    assert losses(trained)[-1] < losses(trained)[0]
    assert figures["peak_memory"] < 24 * GIGABYTE
    assert 0.7 < trained.metrics["planned_memory"] / figures["peak_memory"] < 1.5


def write_large_base(small: Path, folder: Path) -> Path:
    """The shapes of Llama 3 8B, random, with the small base's tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    shutil.copytree(small, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = LlamaConfig(
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    with libraries(), torch.device("cuda"):
        torch.manual_seed(8)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        model.save_pretrained(folder)
    del model
    torch.cuda.empty_cache()
    return folder
