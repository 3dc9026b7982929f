"""What can be set about training and merging: method, steps, and when to stop."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from indexer.settings import Table

Method = Literal["qlora", "lora", "full"]
Preference = Literal["dpo", "kto", "none"]


class StepTable(Table):
    """What supervised training and preferences share."""

    learning_rate: float = Field(gt=0)
    epochs: float = Field(default=3, gt=0)
    batch: int = Field(default=16, ge=1, description="examples a step")
    at_once: int = Field(default=2, ge=1, description="examples computed together; memory")
    tokens: int = Field(default=4096, ge=16, description="longer examples are left out")
    validations: int = Field(default=4, ge=1, description="validations an epoch")
    patience: int = Field(default=3, ge=1, description="validations without gain before it stops")
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    least_examples: int = Field(default=20, ge=1)
    seed: int = Field(default=20, ge=0)
    threads: int = Field(default=0, ge=0, description="of the processor; 0 means all cores")

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        if self.batch % self.at_once:
            raise ValueError(f"batch is {self.batch}: choose a multiple of at_once, {self.at_once}")
        return self


class TrainTable(StepTable):
    """``[adapters.train]``: an adapter on a base in 4 bits or as it is, or the whole base."""

    method: Method = "qlora"
    learning_rate: float = Field(default=1e-4, gt=0)
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)


class PreferTable(StepTable):
    """``[adapters.prefer]``: pairs of answers (DPO), thumbs alone (KTO), or no such stage."""

    method: Preference = "kto"
    learning_rate: float = Field(default=5e-6, gt=0)
    epochs: float = Field(default=1, gt=0)
    beta: float = Field(default=0.1, gt=0, description="how strongly the model holds on to itself")


class MergeTable(Table):
    """``[adapters.merge]``: the precision that merged weights are written in."""

    precision: Literal["bfloat16", "float32"] = "bfloat16"

    @property
    def is_exact(self) -> bool:
        """Whether nothing of the weights may be lost, so that logits can be held to each other."""
        return self.precision == "float32"
