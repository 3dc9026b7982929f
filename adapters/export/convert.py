"""Stage ``convert``: a whole model in Hugging Face's layout → one 16-bit GGUF file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.errors import ConversionError
from adapters.export.converter import Converter, find_converter
from adapters.models.tokenizer_file import pre_tokenizer
from adapters.runs.disk import require_space
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import ConvertTable

_SCRIPT = "convert_hf_to_gguf.py"


def convert(table: ConvertTable, model: Path, folder: Path, *, cache_dir: Path) -> Manifest:
    """Convert the model in the folder ``model``, merged or as it is, into ``folder``; output
    ``gguf``.
    """
    converter = find_converter(cache_dir, source=table.source, sha256=table.source_sha256)

    def work(run: Run) -> None:
        target = run.folder / f"model-{table.precision}.gguf"
        convert_model(table, model, target, converter)
        run.outputs["gguf"] = target
        run.metrics["bytes"] = target.stat().st_size

    settings = {"precision": table.precision}
    inputs: dict[str, Path | str] = {"model": model, "converter": converter.sha256}
    return run_stage("convert", folder, settings=settings, inputs=inputs, work=work)


def convert_model(table: ConvertTable, model: Path, target: Path, converter: Converter) -> None:
    """Write the model in the folder ``model`` to ``target``, which appears only when whole.

    Raises ConversionError for what cannot be converted faithfully, DiskFull before it begins.
    """
    check_convertible(model)
    require_space(target.parent, _bytes_of_weights(model), "Converting the model")
    converter.write(
        _SCRIPT,
        target,
        *(str(model), "--outtype", table.precision),
        seconds=table.seconds,
        pre_tokenizer=pre_tokenizer(model),
    )


def check_convertible(model: Path) -> None:
    """Refuse a folder that is no model, and one whose own code the converter would run."""
    if not read_json(model / "config.json").get("architectures"):
        raise ConversionError(f"{model / 'config.json'} names no architecture: merge again.")
    for name in ("config.json", "tokenizer_config.json"):
        if (model / name).is_file() and "auto_map" in read_json(model / name):
            raise ConversionError(
                f"{model / name} refers to code of the model's own (auto_map), which would be run "
                "unseen; choose a base that needs no code of its own."
            )


def read_json(path: Path) -> dict[str, Any]:
    """A file of a model's or an adapter's folder. Raises ConversionError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content)
    except (OSError, ValueError, TypeError) as error:
        raise ConversionError(
            f"{path} cannot be read ({type(error).__name__}): {path.parent} is damaged, or no "
            "model or adapter in Hugging Face's layout."
        ) from error


def _bytes_of_weights(model: Path) -> int:
    """An upper bound of the 16-bit file: weights are not kept in fewer bits before it."""
    weights = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    if not weights:
        raise ConversionError(f"{model} holds no *.safetensors: merge again.")
    return weights
