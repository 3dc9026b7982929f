"""A merged model predicts what base and adapter predict together, or does not come to be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import BaseMismatch, VerificationFailed
from adapters.export.fidelity import Fidelity
from adapters.export.merge import (
    LARGEST_DIFFERENCE,
    Likeness,
    _require_likeness,
    merge,
    merge_adapter,
)
from adapters.models.base_model import TEMPLATE_FILES, TOKENIZER_FILES, libraries
from adapters.runs.manifest import Manifest
from adapters.settings import MergeTable, TrainTable
from adapters.train.sft import train
from tests.adapters import lessons
from tests.services.tiny_base import write_tiny_base

TABLE = TrainTable(
    method="lora",
    batch_size=4,
    per_device_batch_size=4,
    epochs=2,
    learning_rate=1e-2,
    min_examples=4,
    threads=1,
)
IN_FLOAT32 = MergeTable(precision="float32")


@pytest.fixture(scope="module")
def trained(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("trained")
    lesson = lessons.write(folder, lessons.examples(12))
    return train(TABLE, tiny_base, folder / "run", **lesson)


@pytest.fixture
def adapter(trained: Manifest, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(trained.output("adapter"), tmp_path / "adapter")


def change(adapter: Path, **changes: object) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def add_tensor(adapter: Path, name: str, *shape: int) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = adapter / "adapter_model.safetensors"
    tensors: dict[str, Any] = load_file(path)
    save_file({**tensors, name: torch.zeros(*shape)}, path, metadata={"format": "pt"})


def test_merged_logits_are_those_of_base_and_adapter(
    trained: Manifest, tiny_base: Path, tmp_path: Path
) -> None:
    """Computed here once more, on a prompt of our own, and far from what the base alone says."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    merged = merge(IN_FLOAT32, trained, tiny_base, tmp_path)
    tokens = torch.arange(50, 90)[None]
    with libraries(), torch.no_grad():
        base = AutoModelForCausalLM.from_pretrained(tiny_base)
        alone = base(tokens).logits
        together = PeftModel.from_pretrained(base, trained.output("adapter"))(tokens).logits
        found = AutoModelForCausalLM.from_pretrained(merged.output("model"))(tokens).logits
    assert (found - together).abs().max() <= LARGEST_DIFFERENCE
    assert (found - alone).abs().max() > 1000 * LARGEST_DIFFERENCE
    assert 0 < merged.metrics["largest_difference"] <= LARGEST_DIFFERENCE / 10


def test_bfloat16_is_half_as_large_and_close(
    trained: Manifest, tiny_base: Path, tmp_path: Path
) -> None:
    merged = merge(MergeTable(), trained, tiny_base, tmp_path)
    written = (merged.output("model") / "model.safetensors").stat().st_size
    assert written == pytest.approx((tiny_base / "model.safetensors").stat().st_size / 2, rel=0.01)
    assert merged.metrics["fidelity"]["divergence"] < 1e-4
    assert json.loads((merged.output("model") / "config.json").read_text())["dtype"] == "bfloat16"


def test_tokenizer_and_template_are_the_bases_own_bytes(
    trained: Manifest, tiny_base: Path, tmp_path: Path
) -> None:
    model = merge(MergeTable(), trained, tiny_base, tmp_path).output("model")
    names = [name for name in (*TOKENIZER_FILES, *TEMPLATE_FILES) if (tiny_base / name).exists()]
    assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} <= set(names)
    for name in names:
        assert (model / name).read_bytes() == (tiny_base / name).read_bytes()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("chat_template.jinja", "another chat template"),
        ("tokenizer_config.json", "another tokenizer"),
        ("config.json", "another weights"),
    ],
)
def test_another_base_is_refused_by_what_is_different(
    trained: Manifest, tiny_base: Path, tmp_path: Path, file: str, words: str
) -> None:
    other = shutil.copytree(tiny_base, tmp_path / "base")
    (other / file).write_text((other / file).read_text() + "\n")
    with pytest.raises(BaseMismatch, match=words):
        merge(MergeTable(), trained, other, tmp_path / "run")


def test_adapter_of_a_base_of_other_shapes_is_refused(adapter: Path, tmp_path: Path) -> None:
    write_tiny_base(tmp_path / "wide", width=512)
    with pytest.raises(BaseMismatch, match="does not fit the base model"):
        merge_adapter(MergeTable(), adapter, tmp_path / "wide", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"trainable_token_indices": [4096]},
    ],
)
def test_adapter_that_trains_embeddings_or_tokens_is_refused(
    adapter: Path, tiny_base: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    change(adapter, **changes)
    with pytest.raises(BaseMismatch, match="tied weights"):
        merge_adapter(MergeTable(), adapter, tiny_base, tmp_path / "model")


def test_adapter_with_weights_of_the_output_layer_is_refused(
    adapter: Path, tiny_base: Path, tmp_path: Path
) -> None:
    """Whatever its configuration says: peft adds them when a vocabulary was enlarged."""
    add_tensor(adapter, "base_model.model.lm_head.weight", 4100, 256)
    with pytest.raises(BaseMismatch, match="the output layer"):
        merge_adapter(MergeTable(), adapter, tiny_base, tmp_path / "model")


def test_folder_without_an_adapter_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseMismatch, match="holds no adapter"):
        merge_adapter(MergeTable(), tmp_path, tiny_base, tmp_path / "model")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("wrong", [0.5, float("nan")])
def test_model_that_predicts_something_else_is_refused(precision: str, wrong: float) -> None:
    fidelity = Fidelity(100, wrong, 0.5, overturned=wrong, perplexity=9.0, source_perplexity=8.0)
    table = MergeTable.model_validate({"precision": precision})
    with pytest.raises(VerificationFailed, match="not base and adapter together"):
        _require_likeness(table, Likeness(wrong, fidelity))
