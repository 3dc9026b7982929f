"""Stage ``merge``: adds a LoRA adapter to the full-precision base weights, and checks the result.

The weights are added in full precision, written, read again, and must predict what base and
adapter predict together. Never onto 4-bit weights: that loses most of what was learned.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapters.errors import BaseMismatch, VerificationFailed
from adapters.export.fidelity import (
    GATES,
    Fidelity,
    FidelityTally,
    load_reference,
    reference_logits,
    shortfalls,
)
from adapters.export.verification_texts import normalised
from adapters.models.base_model import (
    TEMPLATE_FILES,
    TOKENIZER_FILES,
    identity,
    libraries,
    require_same_base,
)
from adapters.models.gguf_model import Logits
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.runs.disk import require_space
from adapters.runs.display import Display, Silent
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import MergeTable

LARGEST_DIFFERENCE = 1e-4
"""Of any logit, where the merged weights are written in float32; bfloat16 has its gate.

Both sides are computed in float64 then: what counts is what the written weights are, and the
rounding of float32 arithmetic alone may move a logit of the very same model by more than this.
"""

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_UNTOUCHED = {"lm_head", "embed_tokens", "embed_out", "wte", "word_embeddings"}
_COPIED = (*TOKENIZER_FILES, *TEMPLATE_FILES, "generation_config.json")


@dataclass(frozen=True, slots=True)
class Likeness:
    """The merged model against base and adapter: the largest difference of any logit, and means."""

    largest_difference: float
    fidelity: Fidelity


def merge(
    table: MergeTable,
    trained: Manifest,
    base: Path,
    folder: Path,
    *,
    display: Display | None = None,
) -> Manifest:
    """Merge the adapter of a train or prefer run into ``folder``; output ``model``.

    A model that was trained as a whole is written in the same way. Raises BaseMismatch where the
    adapter is not one of this base or cannot be merged without loss, VerificationFailed where the
    merged model predicts something else, NotEnoughMemory and DiskFull before it begins.
    """
    require_same_base(base, trained.inputs)
    source = "adapter" if "adapter" in trained.outputs else "model"
    shown = display or Silent()

    def work(run: Run) -> None:
        target = run.folder / "model"
        write = merge_adapter if source == "adapter" else rewrite_model
        likeness = write(table, trained.output(source), base, target)
        run.outputs["model"] = target
        run.metrics.update(asdict(likeness))
        shown.tell(
            f"Merged in {table.precision}: no logit differs by more than "
            f"{likeness.largest_difference:.2g}, {likeness.fidelity.agreement:.2%} of the "
            f"likeliest tokens are the same."
        )

    inputs: dict[str, Path | str] = {source: trained.output(source), **identity(base)}
    return run_stage("merge", folder, settings=table, inputs=inputs, work=work)


def merge_adapter(table: MergeTable, adapter: Path, base: Path, target: Path) -> Likeness:
    """Write base and adapter as one model to ``target``, which appears only when it is right."""
    check_adapter(adapter)

    def tuned() -> Any:
        from peft import PeftModel

        try:
            return PeftModel.from_pretrained(load_reference(base, exact=table.is_exact), adapter)
        except (RuntimeError, ValueError) as error:
            raise BaseMismatch(
                f"The adapter in {adapter} does not fit the base model in {base} "
                f"({str(error).splitlines()[0]}): name the base that it was trained on."
            ) from error

    return _write(table, tuned, base, target)


def rewrite_model(table: MergeTable, source: Path, base: Path, target: Path) -> Likeness:
    """The same for a model that was trained as a whole."""
    return _write(table, lambda: load_reference(source, exact=table.is_exact), base, target)


def check_adapter(adapter: Path) -> None:
    """Raise BaseMismatch for an adapter that would lose something on its way to a GGUF file."""
    from safetensors import safe_open

    try:
        config = json.loads((adapter / _CONFIG).read_text(encoding="utf-8"))
        with safe_open(adapter / _WEIGHTS, framework="numpy") as file:
            tensors = list(file.keys())
    except (OSError, ValueError) as error:
        raise BaseMismatch(
            f"{adapter} holds no adapter that can be read ({type(error).__name__}): name a folder "
            f"with {_CONFIG} and {_WEIGHTS}."
        ) from error
    if reason := _why_lossy(config, tensors):
        raise BaseMismatch(
            f"The adapter in {adapter} {reason}: such changes are lost when a model with tied "
            "weights is saved or converted. Train the linear layers alone, without new tokens."
        )


def _why_lossy(config: Mapping[str, Any], tensors: Sequence[str]) -> str:
    """What the adapter does that merging or conversion would drop; "" if nothing."""
    if config.get("peft_type") != "LORA":
        return f"is of the kind {config.get('peft_type')} and not LoRA"
    if config.get("trainable_token_indices"):
        return "adds or trains tokens"
    touched = [*(config.get("modules_to_save") or ()), *tensors]
    targets = config.get("target_modules") or ()
    touched += [targets] if isinstance(targets, str) else targets
    if any(_UNTOUCHED & set(name.split(".")) for name in touched):
        return "trains the embeddings or the output layer"
    return ""


def _write(table: MergeTable, load: Callable[[], Any], base: Path, target: Path) -> Likeness:
    """Save in the wanted precision, read again, compare, and only then give it its name."""
    tokenizer = PromptTokenizer(base)
    texts = [tokenizer.plain(text) for text in normalised()]
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with libraries():
        expected = _save(table, load, unfinished, texts)
        gc.collect()  # one model at a time is in memory
        for name in _COPIED:
            if (base / name).is_file():
                shutil.copyfile(base / name, unfinished / name)
        likeness = _compare(load_reference(unfinished, exact=table.is_exact), texts, expected)
    _require_likeness(table, likeness)
    shutil.rmtree(target, ignore_errors=True)
    unfinished.replace(target)
    return likeness


def _save(
    table: MergeTable, load: Callable[[], Any], folder: Path, texts: Sequence[Sequence[int]]
) -> list[Logits]:
    """What the model, with its adapter beside it, says of the texts; it is merged and saved."""
    import torch
    from peft import PeftModel

    model = load().eval()
    logits = [reference_logits(model, tokens) for tokens in texts]
    dtype = getattr(torch, table.precision)
    parameters = sum(each.numel() for each in model.parameters())
    require_space(folder.parent, parameters * dtype.itemsize, "The merged model")
    if isinstance(model, PeftModel):
        model = model.merge_and_unload(safe_merge=True)
    model.to(dtype).save_pretrained(folder)
    return logits


def _compare(model: Any, texts: Sequence[Sequence[int]], expected: Sequence[Logits]) -> Likeness:
    tally, largest = FidelityTally(), 0.0
    for tokens, before in zip(texts, expected, strict=True):
        after = reference_logits(model, tokens)
        tally.add(before, after, tokens)
        largest = max(largest, float(abs(after - before).max()))
    return Likeness(largest, tally.result())


def _require_likeness(table: MergeTable, likeness: Likeness) -> None:
    if table.is_exact:
        # written so that a value that is no number does not pass
        is_alike = likeness.largest_difference <= LARGEST_DIFFERENCE
        reasons = [] if is_alike else [f"a logit differs by {likeness.largest_difference:.2g}"]
    else:
        reasons = shortfalls(likeness.fidelity, GATES["bf16"])
    if reasons:
        raise VerificationFailed(
            f"The merged model is not base and adapter together: {'; '.join(reasons)}. Train "
            "again, or merge in float32."
        )
