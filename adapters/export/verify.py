"""Stage ``verify``: files that do not compute what the merged model computes stop here.

Tokens first, then numbers, because other tokens explain other numbers. Not covered: whether the
merged model itself is right (``merge`` compares it with base and adapter) and whether its answers
are good (``evaluate``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapters.errors import NotEnoughMemory, VerificationFailed
from adapters.export.fidelity import GATES, Fidelity, FidelityTally, Scores, shortfalls
from adapters.export.verification_texts import normalised
from adapters.export.verify_tokens import Reference, differences
from adapters.models.base_model import Device, check_base, libraries, load_full
from adapters.models.gguf_model import GgufModel
from adapters.models.memory import free_memory, gigabytes
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import VerifyTable


def verify(
    table: VerifyTable,
    model: Path,
    converted: Manifest,
    quantized: Manifest,
    folder: Path,
    *,
    texts: Sequence[str] = (),
) -> Manifest:
    """Hold the converted and the quantized file against the model in the folder ``model``.

    ``texts`` are added to those built in, for instance validation examples. The metrics hold a
    Fidelity a file. Raises VerificationFailed with everything that differs.
    """
    precision = str(converted.settings["precision"])
    files = {
        precision: converted.output("gguf"),
        str(quantized.settings["quantization"]): quantized.output("gguf"),
    }

    def work(run: Run) -> None:
        for name, fidelity in verify_files(table, model, files, texts).items():
            run.metrics[name] = asdict(fidelity)
            run.metrics[name]["perplexity_growth"] = fidelity.perplexity_growth

    inputs: dict[str, Path | str] = {"model": model, **files, "texts": _identity(texts)}
    return run_stage("verify", folder, settings=table, inputs=inputs, work=work)


def verify_files(
    table: VerifyTable, source: Path, files: Mapping[str, Path], texts: Sequence[str] = ()
) -> dict[str, Fidelity]:
    """Compare GGUF files, by precision or quantization, with the model in the folder ``source``.

    Raises VerificationFailed with everything that differs, BaseMismatch where ``source`` is no
    model, NotEnoughMemory before its weights in float32 would not fit.
    """
    everything = normalised(texts)
    with ExitStack() as stack:
        stack.enter_context(libraries())
        reference = Reference.read(source)
        window = min(table.window, reference.config.max_position_embeddings)
        models = {
            name: stack.enter_context(GgufModel(path, context_tokens=window))
            for name, path in files.items()
        }
        found = {
            name: differences(reference, model, everything, odd_tokens=table.odd_tokens)
            for name, model in models.items()
        }
        _refuse(files, found)
        pieces = stretches(reference.tokenizer, everything, window, table.tokens)
        measured = _measure(source, models, pieces)
    gates = GATES | table.gates
    _refuse(files, {name: shortfalls(each, gates[name]) for name, each in measured.items()})
    return measured


def source_scores(model: Any, tokens: Sequence[int]) -> Scores:
    """All logits of a model of transformers for one text, in float32."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([list(tokens)], device=model.device)).logits[0]
    scores: Scores = logits.float().cpu().numpy()
    return scores


def load_reference(source: Path, *, exact: bool = False) -> Any:
    """The model in float32 on the processor, ``exact`` in float64.

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


def stretches(
    tokenizer: PromptTokenizer, texts: Sequence[str], window: int, limit: int
) -> Iterator[list[int]]:
    """The texts one after the other, cut into pieces of ``window`` tokens."""
    stream = [token for text in texts for token in tokenizer.library_tokenizer.encode(text)]
    for start in range(0, min(len(stream), limit), window):
        if len(piece := stream[start : start + window]) > 1:
            yield piece


def _measure(
    source: Path, models: Mapping[str, GgufModel], pieces: Iterator[list[int]]
) -> dict[str, Fidelity]:
    """Stretch by stretch, so that the scores of one text at a time are in memory."""
    reference = load_reference(source)
    tallies = {name: FidelityTally() for name in models}
    for tokens in pieces:
        expected = source_scores(reference, tokens)
        for name, model in models.items():
            tallies[name].add(expected, model.scores(tokens), tokens)
    return {name: tally.result() for name, tally in tallies.items()}


def _refuse(files: Mapping[str, Path], problems: Mapping[str, Sequence[str]]) -> None:
    found = [f"{files[name].name}: {each}" for name, some in problems.items() for each in some]
    if found:
        raise VerificationFailed(
            "The converted model is not the merged one and must not be served; convert and "
            "quantize again, and choose another base if this repeats:\n  " + "\n  ".join(found)
        )


def _identity(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
