"""The plan counts what is trained, and refuses what this machine cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import BaseMismatch, NotEnoughMemory
from adapters.models.base_model import Device, libraries, load_full
from adapters.settings import Method, TrainTable
from adapters.train.plan import Plan, plan

PROCESSOR = Device("cpu", bfloat16=False)
LLAMA_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}


def plan_for(base: Path, method: Method = "qlora") -> Plan:
    table = TrainTable(method=method, rank=8, batch_size=4, per_device_batch_size=2, epochs=3)
    return plan(base, table, method=method, rank=8, device=PROCESSOR, longest=512, examples=10)


@pytest.fixture
def large_base(tmp_path: Path) -> Path:
    """The shapes of a model of 8 billion parameters; nobody reads its weights."""
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def test_trained_parameters_are_those_of_the_real_adapter(tiny_base: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    with libraries():
        model = load_full(tiny_base, dtype=torch.float32, device="cpu")
        everything = sum(each.numel() for each in model.parameters())
        model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    made = plan_for(tiny_base)
    assert (made.parameters, made.trained) == (everything, trained)
    assert plan_for(tiny_base, "full").trained == everything


def test_steps_count_partial_batches_in_every_epoch(tiny_base: Path) -> None:
    assert plan_for(tiny_base).steps == 9  # 4, 4 and 2 examples, three times


def test_methods_need_memory_in_the_order_one_expects(large_base: Path) -> None:
    needed = [plan_for(large_base, method).memory_needed for method in ("qlora", "lora", "full")]
    assert needed == sorted(needed)
    assert needed[0] < 0.5 * needed[1] < 0.2 * needed[2]


def test_large_base_without_a_gpu_is_refused(large_base: Path) -> None:
    made = plan_for(large_base)
    assert made.parameters == 8_030_261_248
    with pytest.raises(NotEnoughMemory, match=r"8\.0 billion parameters needs a GPU"):
        replace(made, memory_there=10**15).require_room()


def test_plan_that_does_not_fit_is_refused_with_what_to_do(tiny_base: Path) -> None:
    made = plan_for(tiny_base)
    made.require_room()
    with pytest.raises(NotEnoughMemory, match="choose a smaller base"):
        replace(made, memory_there=made.memory_needed - 1).require_room()
    with pytest.raises(NotEnoughMemory, match='method = "qlora"'):
        replace(plan_for(tiny_base, "full"), memory_there=1).require_room()


def test_plan_says_share_memory_and_time(tiny_base: Path) -> None:
    made = replace(plan_for(tiny_base), left_out=3).with_step(10.0)
    said = " ".join(made.sentences())
    for part in (f"{made.trained:,} of {made.parameters:,}", "2.94%", "memory", "Leaves out 3"):
        assert part in said
    assert "at most 2 minutes" in made.time()


@pytest.mark.parametrize("config", ["", "{}", '{"quantization_config": {}}'])
def test_folder_that_is_no_full_precision_base_is_refused(tmp_path: Path, config: str) -> None:
    if config:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(BaseMismatch, match=str(tmp_path)):
        plan_for(tmp_path)
