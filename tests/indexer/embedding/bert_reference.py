"""BERT in float32 with numpy alone: what llama.cpp must agree with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array = NDArray[np.float32]
_erf = np.vectorize(math.erf, otypes=[np.float32])


class BertReference:
    """The shape of all-MiniLM-L6-v2 unless another is given."""

    def __init__(self, weights: Mapping[str, Array], heads: int = 12, layers: int = 6) -> None:
        self._weights = weights
        self._heads = heads
        self._layers = layers

    @classmethod
    def load(cls, model: Path) -> BertReference:
        return cls(load_file(model / "model.safetensors"))

    def embed(self, tokens: Sequence[int]) -> Array:
        """Mean of the last layer over all tokens, unit length."""
        mean: Array = self.states(tokens).mean(0)
        return mean / np.float32(np.linalg.norm(mean))

    def rank(self, tokens: Sequence[int]) -> float:
        """The logit of a head of one output over the first token."""
        pooled = np.tanh(self._linear(self.states(tokens)[0], "classifier.dense"))
        return float(self._linear(pooled, "classifier.out_proj")[0])

    def states(self, tokens: Sequence[int]) -> Array:
        """The last layer, one row a token."""
        x = (
            self._weights["embeddings.word_embeddings.weight"][list(tokens)]
            + self._weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(self._layers):
            x = self._layer(x, f"encoder.layer.{layer}")
        return x

    def _layer(self, x: Array, name: str) -> Array:
        query, key, value = (
            self._linear(x, f"{name}.attention.self.{part}")
            .reshape(len(x), self._heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1]))
        attention = scores / scores.sum(-1, keepdims=True)
        seen = (attention @ value).transpose(1, 0, 2).reshape(x.shape)
        x = self._norm(
            x + self._linear(seen, f"{name}.attention.output.dense"),
            f"{name}.attention.output.LayerNorm",
        )
        hidden = self._linear(x, f"{name}.intermediate.dense")
        hidden = hidden * 0.5 * (1 + _erf(hidden / math.sqrt(2)))
        return self._norm(
            x + self._linear(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def _linear(self, x: Array, name: str) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
