"""Stage ``quantize``: a 16-bit GGUF file → a small one, or a refusal where that gains nothing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from adapters.errors import QuantizationError
from adapters.runs.child import run_module
from adapters.runs.disk import require_space
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import Quantization, QuantizeTable

_MEBIBYTE = 2**20

_FALLBACK = re.compile(r"warning: (?P<tensor>\S+) +- ncols +(?P<width>\d+) not divisible by")
_SIZE = re.compile(r"quant size +=\s*(?P<size>[\d.]+) MiB")
_COUNT = re.compile(r"\[ *\d+/ *(?P<tensors>\d+)\]")


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    """What llama.cpp would write. ``fallbacks`` are the tensors that cannot be quantized as asked
    and would become larger and slower, with the width of their rows.
    """

    bytes: int
    tensors: int
    fallbacks: dict[str, int]


def quantize(table: QuantizeTable, converted: Manifest, folder: Path) -> Manifest:
    """Quantize the output ``gguf`` of a conversion into ``folder``; output ``gguf``."""
    source = converted.output("gguf")

    def work(run: Run) -> None:
        target = run.folder / f"model-{table.quantization}.gguf"
        plan = quantize_file(table, source, target)
        run.outputs["gguf"] = target
        run.metrics |= {
            "bytes": target.stat().st_size,
            "bytes_before": source.stat().st_size,
            "tensors": plan.tensors,
            "fallbacks": len(plan.fallbacks),
        }

    settings = table.model_dump(mode="json", include={"quantization", "allow_fallbacks"})
    return run_stage("quantize", folder, settings=settings, inputs={"gguf": source}, work=work)


def quantize_file(table: QuantizeTable, source: Path, target: Path) -> QuantizationPlan:
    """Write ``target``, which appears only when whole.

    Raises QuantizationError where tensors do not suit the quantization, unless that is allowed,
    and DiskFull before anything is written.
    """
    plan = plan_quantization(table, source)
    if plan.fallbacks and not table.allow_fallbacks:
        raise QuantizationError(_refusal(table, source, plan))
    require_space(target.parent, plan.bytes, f"Quantizing to {table.quantization}")
    part = target.with_name(f"{target.name}.part")
    try:
        _llama_cpp(table, source, part, "write")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return plan


def plan_quantization(table: QuantizeTable, source: Path) -> QuantizationPlan:
    """Ask llama.cpp what it would do, without writing. Raises QuantizationError."""
    said = _llama_cpp(table, source, Path(os.devnull), "plan")
    size, tensors = _SIZE.search(said), _COUNT.search(said)
    if size is None or tensors is None:
        raise QuantizationError(
            "What llama.cpp says about quantizing is not understood; report this with the "
            "version of llama-cpp-python."
        )
    return QuantizationPlan(
        bytes=int(float(size["size"]) * _MEBIBYTE),
        tensors=int(tensors["tensors"]),
        fallbacks={found["tensor"]: int(found["width"]) for found in _FALLBACK.finditer(said)},
    )


def _refusal(table: QuantizeTable, source: Path, plan: QuantizationPlan) -> str:
    others = {each: table.model_copy(update={"quantization": each}) for each in Quantization}
    fitting = [
        each for each, other in others.items() if not plan_quantization(other, source).fallbacks
    ]
    widths = sorted(set(plan.fallbacks.values()))
    return (
        f"{source.name} does not suit {table.quantization}: {len(plan.fallbacks)} of "
        f"{plan.tensors} tensors have rows of {', '.join(map(str, widths))}, no multiple of what "
        "it packs together, and would fall back to larger and slower types. Choose "
        f"{' or '.join(fitting) or 'another base'}, or allow fallbacks in the settings."
    )


def _llama_cpp(table: QuantizeTable, source: Path, target: Path, action: str) -> str:
    """What llama.cpp printed."""
    finished = run_module(
        "adapters.export.quantize_process",
        [str(source), str(target), table.quantization, str(table.threads), action],
        seconds=table.seconds,
    )
    if not finished.succeeded:
        raise QuantizationError(
            f"{source} cannot be quantized; convert it again if it is damaged. "
            f"(llama.cpp: {finished.last_lines})"
        )
    return finished.output
