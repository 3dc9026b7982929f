"""The probabilities of ``choose`` against a plain forward pass in transformers, from one file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bot.domain.values import Message
from tests.serving.llama_cpp.engines import SYSTEM, load, user, words

OPTIONS = ["yes", "no"]
CONTINUATIONS = [f"Is passage {n} about {words(n + 1, 9 * n)}?" for n in range(9)]
MARGIN = 0.15
"""Of log-odds: batches of other shapes round otherwise. Decisions keep further from thresholds."""


def reference(path: Path, prompts: list[list[int]], options: list[int]) -> list[list[float]]:
    """Probabilities of the options, computed by transformers in float32, one prompt at a time."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
    )
    with torch.no_grad():
        scores = [model(torch.tensor([prompt])).logits[0, -1, options] for prompt in prompts]
    return [torch.softmax(score, 0).tolist() for score in scores]


def test_sure_choice_agrees_with_a_plain_forward_pass(tiny_model: Path) -> None:
    for ours, theirs in agreement(tiny_model):
        assert ours == pytest.approx(theirs, abs=1e-2)


def test_unsure_choice_agrees_with_a_plain_forward_pass(random_model: Path) -> None:
    for ours, theirs in agreement(random_model):
        assert all(0.01 < probability < 0.99 for probability in theirs)
        assert ours == pytest.approx(theirs, abs=1e-2)


def agreement(path: Path) -> list[tuple[tuple[float, ...], list[float]]]:
    """Probabilities of the options after each continuation: the engine's and the reference's."""
    prefix = [SYSTEM, user(words(50)), Message("assistant", "Maybe.")]
    engine = load(path)
    chosen = engine.choose(prefix, CONTINUATIONS, OPTIONS)
    prompts = [engine.tokens([*prefix, user(text)]) for text in CONTINUATIONS]
    options = [engine._weights.tokenize(option, control=False)[0] for option in OPTIONS]
    engine.close()
    return list(zip(chosen, reference(path, prompts, options), strict=True))


def test_choosing_together_agrees_with_one_by_one(random_model: Path) -> None:
    engine = load(random_model)
    together = engine.choose([SYSTEM], CONTINUATIONS, OPTIONS)
    for continuation, chosen in zip(CONTINUATIONS, together, strict=True):
        (alone,) = engine.choose([SYSTEM], [continuation], OPTIONS)
        assert abs(log_odds(chosen) - log_odds(alone)) < MARGIN
    engine.close()


def log_odds(probabilities: tuple[float, ...]) -> float:
    yes, no = probabilities
    return math.log(yes / no)
