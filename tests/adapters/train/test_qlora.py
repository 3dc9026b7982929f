"""A base in 4 bits teaches what its unpacked weights would teach, also after a validation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import TrainingError
from adapters.models.base_model import libraries, load_full
from adapters.train import qlora as quantized_base
from adapters.train.qlora import load_quantized, quantized_layers, unpacked


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with libraries():
        yield


def adapted(model: Any) -> Any:
    """The same adapter on every model, no part of it zero."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)
    return model


def gradients(model: Any, tokens: Any) -> Any:
    """Of all trained weights in one row, after a pass without gradients as in a validation."""
    import torch

    model.eval()
    with torch.no_grad():
        model(tokens)
    model.train()
    model(tokens, labels=tokens).loss.backward()
    trained = [weights.grad for weights in model.parameters() if weights.requires_grad]
    return torch.cat([gradient.flatten().float() for gradient in trained])


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
def test_gradients_after_a_validation_are_those_of_the_unpacked_weights(
    tiny_base: Path, compute: str
) -> None:
    import torch

    dtype = getattr(torch, compute)
    quantized = load_quantized(tiny_base, compute=dtype, device="cpu")
    names = {id(layer): name for name, layer in quantized.named_modules()}
    weights = {names[id(layer)]: unpacked(layer) for layer in quantized_layers(quantized)}
    full = load_full(tiny_base, dtype=dtype, device="cpu")
    for name, unpacked_weights in weights.items():
        full.get_submodule(name).weight.data = unpacked_weights
    tokens = torch.arange(100, 140).reshape(2, 20)

    expected, found = (gradients(adapted(model), tokens) for model in (full, quantized))

    assert torch.nn.functional.cosine_similarity(expected, found, dim=0) > 0.99
    assert (found.norm() / expected.norm()).item() == pytest.approx(1, abs=0.01)


def test_every_linear_layer_but_the_output_is_quantized(tiny_base: Path) -> None:
    import torch

    model = load_quantized(tiny_base, compute=torch.float32, device="cpu")
    layers = quantized_layers(model)
    whole = [module for module in model.modules() if type(module) is torch.nn.Linear]
    assert len(layers) == 2 * 7
    assert whole == [model.get_output_embeddings()]
    for layer in layers:
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.quant_state.nested


def test_processor_that_spoils_the_weights_is_refused(tiny_base: Path) -> None:
    import torch
    from bitsandbytes.functional import has_avx512bf16

    if not has_avx512bf16():
        pytest.skip("only processors with AVX512_BF16 have the fault")
    model = load_quantized(tiny_base, compute=torch.float32, device="cpu")
    layer = quantized_layers(model)[0]
    layer.support_avx512bf16_for_cpu = True
    with pytest.raises(TrainingError, match="learn from garbage"):
        quantized_base._try_out(layer)
