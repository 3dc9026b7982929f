"""A merged model becomes a GGUF file, or a sentence says why it would not be the same model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConversionError, DiskFull
from adapters.export.convert import convert, convert_model
from adapters.export.converter import Converter
from adapters.runs import disk
from adapters.settings import ConvertTable

Change = Callable[[dict[str, Any]], None]


def change(path: Path, edit: Change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def model(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(tiny_base, tmp_path / "model"))


def test_the_stage_converts_once(
    tiny_base: Path, converter: Converter, tmp_path: Path, cache_dir: Path
) -> None:
    table = ConvertTable(precision="bf16")
    first = convert(table, tiny_base, tmp_path / "convert", cache_dir=cache_dir)
    assert first.output("gguf").read_bytes()[:4] == b"GGUF"
    assert first.metrics["bytes"] == first.output("gguf").stat().st_size
    assert convert(table, tiny_base, tmp_path / "convert", cache_dir=cache_dir).run == first.run


def test_an_unknown_pre_tokenizer_is_refused(
    model: Path, converter: Converter, tmp_path: Path
) -> None:
    """Not even where only the split differs from the one that may be declared."""

    def split_differently(tokenizer: dict[str, Any]) -> None:
        tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{L}+|\p{N}{1,4}|."

    change(model / "tokenizer.json", split_differently)
    target = tmp_path / "model.gguf"
    with pytest.raises(ConversionError, match="would be cut wrongly"):
        convert_model(ConvertTable(), model, target, converter)
    assert not list(tmp_path.glob("*.gguf*"))


def test_an_unknown_architecture_is_refused(
    model: Path, converter: Converter, tmp_path: Path
) -> None:
    change(model / "config.json", lambda config: config.update(architectures=["NoSuchModel"]))
    with pytest.raises(ConversionError, match="architecture is one"):
        convert_model(ConvertTable(), model, tmp_path / "model.gguf", converter)


def test_a_conversion_that_takes_too_long_leaves_nothing(
    tiny_base: Path, converter: Converter, tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match="took too long"):
        convert_model(ConvertTable(seconds=0.5), tiny_base, tmp_path / "model.gguf", converter)
    assert not list(tmp_path.iterdir())


NOT_RUN = Converter(Path("nowhere"), "", "")
"""What is refused before the converter runs."""


def test_byte_fallback_without_its_model_is_refused(model: Path, tmp_path: Path) -> None:
    change(
        model / "tokenizer.json", lambda tokenizer: tokenizer["model"].update(byte_fallback=True)
    )
    with pytest.raises(ConversionError, match=r"no tokenizer\.model"):
        convert_model(ConvertTable(), model, tmp_path / "model.gguf", NOT_RUN)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused(model: Path, name: str, tmp_path: Path) -> None:
    change(model / name, lambda content: content.update(auto_map={"AutoModel": "code.Model"}))
    with pytest.raises(ConversionError, match="code of the model's own"):
        convert_model(ConvertTable(), model, tmp_path / "model.gguf", NOT_RUN)


def test_a_folder_without_weights_is_refused(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(ConversionError, match=r"no \*\.safetensors"):
        convert_model(ConvertTable(), model, tmp_path / "model.gguf", NOT_RUN)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="no model or adapter"):
        convert_model(ConvertTable(), tmp_path, tmp_path / "model.gguf", NOT_RUN)


def test_a_full_disk_is_told_before_anything_is_written(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match="1 MB free"):
        convert_model(ConvertTable(), tiny_base, tmp_path / "model.gguf", NOT_RUN)
