"""Stage ``lora``: a LoRA adapter → a GGUF file of its own, loaded beside one base while serving.

LoRA after Hu et al. 2021 (arXiv:2106.09685). The file's logits are compared with PEFT's before it
may be used: llama.cpp ignores some of what PEFT can train, silently.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.errors import BaseMismatch, ConversionError, VerificationFailed
from adapters.export.convert import check_convertible, read_json
from adapters.export.converter import Converter, find_converter
from adapters.export.fidelity import load_reference, reference_logits, token_windows
from adapters.export.verification_texts import normalised
from adapters.models.base_model import libraries
from adapters.models.gguf_model import GgufModel, Logits
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.runs.disk import require_space
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import ConvertTable

LARGEST_DIFFERENCE = 0.05
"""Of any logit, between PEFT and llama.cpp."""
LARGEST_ERROR = 0.05
"""Of what the adapter changes, relative; a wrong scale shows here even where it changes little."""
ROUNDING = 0.002
"""What the 16-bit base alone may add to that error."""

_SCRIPT = "convert_lora_to_gguf.py"
_TOKENS, _WINDOW = 512, 256
_FILES = ("adapter_config.json", "adapter_model.safetensors")
_UNKNOWN_TO_LLAMA_CPP = (
    "use_rslora", "use_dora", "use_qalora", "alpha_pattern", "modules_to_save", "lora_bias",
    "trainable_token_indices", "layer_replication", "fan_in_fan_out", "target_parameters",
)  # fmt: skip
_EMBEDDINGS = ("lm_head", "embed_tokens", "wte")


@dataclass(frozen=True, slots=True)
class AdapterFidelity:
    """In logits: ``difference`` is the largest between PEFT and llama.cpp, ``effect`` what the
    adapter changes, and ``error`` what llama.cpp gets wrong of that, both as root mean squares.
    """

    difference: float
    effect: float
    error: float


def lora(
    table: ConvertTable,
    trained: Manifest,
    base: Path,
    base_gguf: Path,
    folder: Path,
    *,
    cache_dir: Path,
) -> Manifest:
    """Convert the output ``adapter`` of a training run, and verify it; output ``gguf``.

    ``base_gguf`` is the 16-bit file of ``base``. Raises ConversionError, BaseMismatch or
    VerificationFailed.
    """
    adapter = trained.output("adapter")
    converter = find_converter(cache_dir, source=table.source, sha256=table.source_sha256)

    def work(run: Run) -> None:
        target = run.folder / "adapter.gguf"
        convert_adapter(table, adapter, base, target, converter)
        run.metrics |= asdict(verify_adapter(adapter, base, base_gguf, target))
        run.outputs["gguf"] = target

    inputs: dict[str, Path | str] = {
        "adapter": adapter,
        "base": base,
        "base_gguf": base_gguf,
        "converter": converter.sha256,
    }
    return run_stage("lora", folder, settings={}, inputs=inputs, work=work)


def convert_adapter(
    table: ConvertTable, adapter: Path, base: Path, target: Path, converter: Converter
) -> None:
    """Write the adapter in PEFT's folder ``adapter`` to ``target``, which appears only when whole.

    Raises ConversionError for what llama.cpp could not apply as it was trained.
    """
    check_convertible(base)
    _check_adapter(adapter)
    size = (adapter / "adapter_model.safetensors").stat().st_size
    require_space(target.parent, size, "Converting the adapter")
    converter.write(
        _SCRIPT,
        target,
        *(str(adapter), "--base", str(base), "--outtype", "f16"),
        seconds=table.seconds,
    )


def verify_adapter(adapter: Path, base: Path, base_gguf: Path, lora: Path) -> AdapterFidelity:
    """Compare base and adapter in PEFT with ``base_gguf`` and ``lora`` in llama.cpp.

    Raises VerificationFailed where they differ, where the adapter changes nothing, or where the
    base is not itself again once the adapter is taken away.
    """
    with ExitStack() as stack:
        stack.enter_context(libraries())
        model = stack.enter_context(GgufModel(base_gguf, context_tokens=_WINDOW, adapter=lora))
        peft_model = _load_with_adapter(base, adapter)
        texts = normalised()
        measured = [
            _compare(peft_model, model, tokens)
            for tokens in token_windows(PromptTokenizer(base), texts, _WINDOW, _TOKENS)
        ]
    fidelity = _mean(measured)
    if not fidelity.effect:
        raise VerificationFailed(f"The adapter {adapter} changes nothing: train it first.")
    allowed = max(LARGEST_ERROR * fidelity.effect, ROUNDING)
    if not (fidelity.difference <= LARGEST_DIFFERENCE and fidelity.error <= allowed):
        raise VerificationFailed(
            f"{lora.name} does not compute what the adapter {adapter} was trained to: logits "
            f"differ by {fidelity.difference:.3g} (at most {LARGEST_DIFFERENCE:g}), and "
            f"{fidelity.error:.2g} of its effect of {fidelity.effect:.2g} is wrong (at most "
            f"{allowed:.2g}). Convert it again; if this repeats, merge it instead."
        )
    return fidelity


def _check_adapter(adapter: Path) -> None:
    missing = [name for name in _FILES if not (adapter / name).is_file()]
    if missing:
        raise ConversionError(
            f"{adapter} holds no {' and no '.join(missing)}: name the folder of a trained adapter."
        )
    config = read_json(adapter / "adapter_config.json")
    unknown = [name for name in _UNKNOWN_TO_LLAMA_CPP if config.get(name)]
    targets = config.get("target_modules") or []
    unknown += [name for name in _EMBEDDINGS if name in targets]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or unknown:
        raise ConversionError(
            f"The adapter {adapter} uses what llama.cpp cannot apply beside a base "
            f"({', '.join(unknown) or 'another method than LoRA, or biases'}): merge it instead, "
            "or train a plain LoRA on linear layers."
        )


def _load_with_adapter(base: Path, adapter: Path) -> Any:
    from peft import PeftModel

    model = load_reference(base)
    try:
        return PeftModel.from_pretrained(model, str(adapter)).eval()
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise BaseMismatch(
            f"The adapter {adapter} does not fit the base {base}: {reason}. Name the base that it "
            "was trained on."
        ) from error


def _compare(peft_model: Any, model: GgufModel, tokens: list[int]) -> AdapterFidelity:
    with peft_model.disable_adapter():
        plain = reference_logits(peft_model, tokens)
    adapted = reference_logits(peft_model, tokens)
    before = model.logits(tokens)
    model.use_adapter(used=True)
    found = model.logits(tokens)
    model.use_adapter(used=False)
    if not np.array_equal(model.logits(tokens), before):
        raise VerificationFailed(
            f"{model.path.name} computes something else after the adapter was taken away: "
            "report this."
        )
    effect = adapted - plain
    return AdapterFidelity(
        difference=float(np.abs(found - adapted).max()),
        effect=_size(effect),
        error=_size((found - before) - effect),
    )


def _mean(measured: list[AdapterFidelity]) -> AdapterFidelity:
    count = len(measured)
    return AdapterFidelity(
        difference=max(each.difference for each in measured),
        effect=sum(each.effect for each in measured) / count,
        error=sum(each.error for each in measured) / count,
    )


def _size(values: Logits) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
