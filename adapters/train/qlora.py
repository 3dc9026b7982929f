"""The base model in 4 bits for QLoRA, guarded against a fault that trains on garbage.

NF4 with double quantization, after Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314). Weights are
unpacked to bfloat16 to compute as there, but to float32 where bfloat16 is not native.

The fault: on processors with AVX512_BF16, bitsandbytes 0.50 repacks a layer's weights in place at
its first pass without gradients, for instance a validation. What it later unpacks for training is
garbage: layers with a bias crash, layers without learn from wrong gradients, silently. The
repacking is therefore switched off in every layer, and one layer is tried out before any training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.errors import TrainingError

_REPACKS = "support_avx512bf16_for_cpu"


def load_quantized(base: Path, *, compute: Any, device: str) -> Any:
    """The model of a folder as transformers loads it, with NF4 linear layers, not trainable.

    ``compute`` is the torch dtype that weights are unpacked to and of what stays unquantized.
    Raises TrainingError where bitsandbytes does not keep its weights as they are.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    model = AutoModelForCausalLM.from_pretrained(
        base,
        dtype=compute,
        device_map={"": device},
        local_files_only=True,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        ),
    )
    layers = quantized_layers(model)
    for layer in layers:
        if hasattr(layer, _REPACKS):
            setattr(layer, _REPACKS, False)
    _try_out(layers[0])
    return model


def quantized_layers(model: Any) -> list[Any]:
    """The 4-bit layers. Raises TrainingError where there are none."""
    from bitsandbytes.nn import Linear4bit

    layers = [module for module in model.modules() if isinstance(module, Linear4bit)]
    if not layers:
        raise TrainingError(
            "bitsandbytes quantized no layer of this base model: set method to lora, or choose a "
            "base of linear layers."
        )
    return layers


def unpacked(layer: Any) -> Any:
    """The weights of a 4-bit layer as they take part in training: a (rows, columns) tensor."""
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight.data, layer.weight.quant_state)


def _try_out(layer: Any) -> None:
    """Weights must be the same before and after a pass without gradients."""
    import torch

    before = unpacked(layer)
    was_training = layer.training
    layer.eval()
    with torch.no_grad():
        layer(torch.zeros(1, layer.in_features, dtype=before.dtype, device=before.device))
    layer.train(was_training)
    if not torch.equal(before, unpacked(layer)):
        raise TrainingError(
            "bitsandbytes changes its 4-bit weights while it computes on this processor, so that "
            "training would learn from garbage: install another version of it, or set method to "
            "lora."
        )
