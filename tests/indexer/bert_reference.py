"""all-MiniLM-L6-v2 in float32 with numpy alone: what the converted embedder must agree with."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array = NDArray[np.float32]
_HEADS, _LAYERS = 12, 6
_erf = np.vectorize(math.erf, otypes=[np.float32])


class BertReference:
    def __init__(self, model: Path) -> None:
        self._weights: dict[str, Array] = load_file(model / "model.safetensors")

    def embed(self, tokens: Sequence[int]) -> Array:
        """Mean of the last layer over all tokens, unit length."""
        x = (
            self._weights["embeddings.word_embeddings.weight"][list(tokens)]
            + self._weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(_LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}")
        mean: Array = x.mean(0)
        return mean / np.float32(np.linalg.norm(mean))

    def _layer(self, x: Array, name: str) -> Array:
        query, key, value = (
            self._linear(x, f"{name}.attention.self.{part}")
            .reshape(len(x), _HEADS, -1)
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
