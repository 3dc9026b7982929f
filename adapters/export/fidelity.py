"""Compares a model file's logits with its source's: KL divergence, top-1 agreement, perplexity.

KL divergence (Kullback and Leibler 1951) and agreement on the likeliest token show what greedy
texts and perplexity alone hide, as in llama.cpp's ``llama-perplexity --kl-divergence``. It differs
from that in what counts against a file: not every change of the likeliest token, because rounding
alone changes it where the source has no clear favourite, but only overturned clear ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.errors import NotEnoughMemory
from adapters.models.base_model import Device, check_base, load_full
from adapters.models.gguf_model import Logits
from adapters.models.memory import free_memory, gigabytes
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.settings import Gate

_ROWS = 64  # rows of float64 at once: 80 MB for 150,000 tokens of vocabulary
_HALF = math.log(2)
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Means over ``tokens`` predictions of one token each.

    ``divergence`` is KL(source ‖ file) in nats. ``agreement`` is the share of equal likeliest
    tokens; ``overturned`` the share where the file's likeliest token is less than half as likely
    to the source as the source's own. Perplexities, exp of the mean negative log-likelihood, are
    of the same texts.
    """

    tokens: int
    divergence: float
    agreement: float
    overturned: float
    perplexity: float
    source_perplexity: float

    @property
    def perplexity_growth(self) -> float:
        """0.01 means one percent more."""
        return self.perplexity / self.source_perplexity - 1


GATES = {
    "f16": Gate(divergence=1e-5, overturned=0.001),
    "bf16": Gate(divergence=1e-4, overturned=0.002),
    "Q8_0": Gate(divergence=3e-3, overturned=0.01),
    "Q6_K": Gate(divergence=1.2e-2, overturned=0.02),
    "Q5_K_M": Gate(divergence=2.5e-2, overturned=0.03),
    "Q4_K_M": Gate(divergence=7e-2, overturned=0.06),
    "Q4_0": Gate(divergence=0.15, overturned=0.10),
}
"""To start from, for quantizations twice the divergence that llama.cpp reports for Llama 3 8B
(tools/perplexity: 1.4e-3, 5.5e-3, 1.1e-2, 3.1e-2, 7.2e-2); 16-bit files are far closer. Lower them
to what your own base shows."""


class FidelityTally:
    """Adds up comparisons, one text after the other; the sums are float64."""

    def __init__(self) -> None:
        self._tokens = 0
        self._divergence = self._surprise = self._source_surprise = 0.0
        self._agreed = self._overturned = 0

    def add(self, source: Logits, file: Logits, tokens: Sequence[int]) -> None:
        """Logits of both for one text, each of shape (len(tokens), vocabulary); row i predicts
        token i + 1, and the last row is not compared.
        """
        following = np.asarray(tokens[1:])
        for rows in _row_blocks(len(following)):
            expected, found = _log_probabilities(source[rows]), _log_probabilities(file[rows])
            actual = following[rows][:, np.newaxis]
            self._tokens += len(actual)
            self._divergence += float((np.exp(expected) * (expected - found)).sum())
            favourite = found.argmax(1)[:, np.newaxis]
            lag = expected.max(1) - np.take_along_axis(expected, favourite, 1)[:, 0]
            self._agreed += int((lag == 0).sum())
            self._overturned += int((lag > _HALF).sum())
            self._source_surprise -= float(np.take_along_axis(expected, actual, 1).sum())
            self._surprise -= float(np.take_along_axis(found, actual, 1).sum())

    def result(self) -> Fidelity:
        return Fidelity(
            tokens=self._tokens,
            divergence=self._divergence / self._tokens,
            agreement=self._agreed / self._tokens,
            overturned=self._overturned / self._tokens,
            perplexity=_exponential(self._surprise / self._tokens),
            source_perplexity=_exponential(self._source_surprise / self._tokens),
        )


def shortfalls(fidelity: Fidelity, gate: Gate) -> list[str]:
    """Why the gate stays closed; empty where it opens."""
    # written so that a value that is no number does not pass
    if fidelity.divergence <= gate.divergence and fidelity.overturned <= gate.overturned:
        return []
    return [
        f"it predicts other tokens than its source: divergence {fidelity.divergence:.2g} "
        f"(at most {gate.divergence:g}), clear favourites overturned {fidelity.overturned:.2%} "
        f"(at most {gate.overturned:.2%}), perplexity {fidelity.perplexity_growth:+.2%}"
    ]


def load_reference(source: Path, *, exact: bool = False) -> Any:
    """The transformers model of a folder on the processor, in float32, or ``exact`` in float64.

    Raises NotEnoughMemory before it would not fit.
    """
    import torch

    dtype = torch.float64 if exact else torch.float32
    kept = 4 if check_base(source).get("dtype") == "float32" else 2
    weights = sum(path.stat().st_size for path in source.glob("*.safetensors"))
    needed = weights * dtype.itemsize // kept
    there = free_memory(Device("cpu", bfloat16=False))
    if needed > there:
        raise NotEnoughMemory(
            f"Comparing with {source} needs {gigabytes(needed)} of memory for its weights in "
            f"{'float64' if exact else 'float32'}; {gigabytes(there)} are free: close other "
            "programs, or verify on a larger machine."
        )
    return load_full(source, dtype=dtype, device="cpu").eval()


def reference_logits(model: Any, tokens: Sequence[int]) -> Logits:
    """Logits of a transformers model for one text: float32, shape (len(tokens), vocabulary)."""
    import torch

    with torch.no_grad():
        output = model(torch.tensor([list(tokens)], device=model.device)).logits[0]
    logits: Logits = output.float().cpu().numpy()
    return logits


def token_windows(
    tokenizer: PromptTokenizer, texts: Sequence[str], window: int, limit: int
) -> Iterator[list[int]]:
    """The texts joined and cut into windows of ``window`` tokens, of which the last one begins
    within the first ``limit`` tokens.
    """
    stream = [token for text in texts for token in tokenizer.library_tokenizer.encode(text)]
    for start in range(0, min(len(stream), limit), window):
        if len(piece := stream[start : start + window]) > 1:
            yield piece


def _row_blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _ROWS, count)) for start in range(0, count, _ROWS))


def _log_probabilities(logits: Logits) -> NDArray[np.float64]:
    """Log-softmax of each row. Logits that are not finite give NaN, which no gate lets through."""
    shifted = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        shifted -= shifted.max(axis=1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def _exponential(value: float) -> float:
    return math.exp(value) if value < _LARGEST_EXPONENT else math.inf
