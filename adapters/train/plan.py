"""Plans a training run before any weights are read: parameters, memory, steps, time.

The memory is an estimate: weights, gradients and optimizer states are counted exactly, what a step
computes in between is taken from the shapes of one layer, because all others are recomputed
(gradient checkpointing, Chen et al. 2016, arXiv:1604.06174).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.errors import NotEnoughMemory
from adapters.models.base_model import Device, check_base
from adapters.models.memory import free_memory, gigabytes
from adapters.settings import Method, StepTable

LARGEST_ON_PROCESSOR = 2_000_000_000
_NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8  # a weight with its doubly quantized scales
_LIBRARIES = 600 * 2**20  # torch and its kernels, on a processor or a GPU
_MARGIN = 1.15
_CHECKPOINTS = 3  # the best, the last, and the one that is being written


@dataclass(frozen=True, slots=True)
class Shapes:
    """A base model's sizes in parameters: ``linear`` are the layers that adapters attach to.

    ``adapter_parameters_per_rank`` is what LoRA adds to all of them per rank: a layer of n inputs
    and m outputs gets r·(n + m) parameters (Hu et al. 2021).
    """

    parameters: int
    linear: int
    largest: int
    adapter_parameters_per_rank: int
    layers: int
    width: int
    feed_forward: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Memory in bytes, ``longest`` in tokens; ``seconds_per_step`` is measured, None before."""

    method: Method
    device: str
    parameters: int
    trained: int
    examples: int
    validation: int
    left_out: int
    longest: int
    steps: int
    memory_needed: int
    memory_there: int
    disk_needed: int
    seconds_per_step: float | None = None

    def sentences(self) -> list[str]:
        """What a person wants to know before it begins."""
        share = self.trained / self.parameters
        said = [
            f"Trains {self.trained:,} of {self.parameters:,} parameters ({share:.2%}) "
            f"by {self.method} on {self.device}.",
            f"Learns from {self.examples:,} examples of at most {self.longest:,} tokens, "
            f"{self.validation:,} more to validate with, in at most {self.steps:,} steps.",
            f"Needs about {gigabytes(self.memory_needed)} of memory; "
            f"{gigabytes(self.memory_there)} are there.",
        ]
        if self.left_out:
            said.append(f"Leaves out {self.left_out:,} examples that are longer than allowed.")
        return said

    def time(self) -> str:
        """The sentence about the time, once a step was measured."""
        if self.seconds_per_step is None:
            return "The time is known after the first step."
        return (
            f"A step takes {self.seconds_per_step:.2g} seconds: "
            f"at most {_duration(self.steps * self.seconds_per_step)} in all, and the validation."
        )

    def metrics(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "parameters": self.parameters,
            "trained_parameters": self.trained,
            "examples": self.examples,
            "left_out": self.left_out,
            "planned_steps": self.steps,
            "planned_memory": self.memory_needed,
            "device": self.device,
        }

    def with_step(self, seconds: float) -> Plan:
        return replace(self, seconds_per_step=seconds)

    def require_room(self) -> None:
        """Raise NotEnoughMemory where this machine cannot do it."""
        if self.device == "cpu" and self.parameters > LARGEST_ON_PROCESSOR:
            raise NotEnoughMemory(
                f"A base model of {self.parameters / 1e9:.1f} billion parameters needs a GPU, and "
                "torch finds none here: train on a machine with one, or choose a smaller base."
            )
        if self.memory_needed > self.memory_there:
            smaller = "a smaller base" if self.method == "qlora" else 'method = "qlora"'
            raise NotEnoughMemory(
                f"Training needs about {gigabytes(self.memory_needed)} of memory and "
                f"{gigabytes(self.memory_there)} are free on {self.device}: lower "
                f"per_device_batch_size or max_length in the settings, choose {smaller}, or use a "
                "larger machine."
            )


def plan(
    base: Path,
    table: StepTable,
    *,
    method: Method,
    rank: int,
    device: Device,
    longest: int,
    examples: int,
    validation: int = 0,
    left_out: int = 0,
    copies: int = 1,
) -> Plan:
    """The plan for ``examples`` examples of at most ``longest`` tokens.

    ``copies`` is how many sequences one example stands for: two in a pair of answers. Reads the
    base's configuration only. Raises BaseMismatch where that is none.
    """
    shapes = shapes_of(base)
    trained = shapes.parameters
    if method != "full":
        trained = shapes.adapter_parameters_per_rank * rank
    states = trained * (8 + _moments(device))
    return Plan(
        method=method,
        device=device.name,
        parameters=shapes.parameters,
        trained=trained,
        examples=examples,
        validation=validation,
        left_out=left_out,
        longest=longest,
        steps=math.ceil(math.ceil(examples / table.batch_size) * table.epochs),
        memory_needed=_memory_needed(
            shapes, method, states, device, tokens=copies * table.per_device_batch_size * longest
        ),
        memory_there=free_memory(device),
        disk_needed=_CHECKPOINTS * states,
    )


def shapes_of(base: Path) -> Shapes:
    """Counted on a model without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    check_base(base)
    config = AutoConfig.from_pretrained(base, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    linear = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    ]
    text = config.get_text_config()
    width = text.hidden_size
    return Shapes(
        parameters=sum(each.numel() for each in model.parameters()),
        linear=sum(each.weight.numel() for each in linear),
        largest=max(each.weight.numel() for each in linear),
        adapter_parameters_per_rank=sum(each.in_features + each.out_features for each in linear),
        layers=text.num_hidden_layers,
        width=width,
        feed_forward=getattr(text, "intermediate_size", 4 * width),
    )


def _memory_needed(
    shapes: Shapes, method: Method, states: int, device: Device, *, tokens: int
) -> int:
    compute = 2 if device.bfloat16 else 4
    weights: float
    if method == "qlora":
        # unpacked one layer at a time; all that is not linear stays as it is
        rest = (shapes.parameters - shapes.linear) * compute
        weights = shapes.linear * _NF4_BYTES + rest + shapes.largest * compute
    elif method == "lora":
        weights = shapes.parameters * compute
    else:
        weights = 0  # they are what is trained
    kept = shapes.layers * shapes.width
    recomputed = 16 * shapes.width + 6 * shapes.feed_forward
    between = tokens * (kept + recomputed) * compute
    return int(_MARGIN * (weights + states + between)) + _LIBRARIES


def _moments(device: Device) -> int:
    """Bytes that AdamW keeps per parameter, for two moments: in 8 bits on a GPU, else in 32."""
    return 2 if device.is_gpu else 8


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(2, math.ceil(seconds))} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
