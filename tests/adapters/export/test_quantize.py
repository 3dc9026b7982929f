"""A GGUF file becomes a small one, or a sentence says what to use instead."""

import shutil
from pathlib import Path

import pytest

from adapters.errors import DiskFull, QuantizationError
from adapters.export.convert import convert_model
from adapters.export.converter import Converter
from adapters.export.quantize import quantize, quantize_file
from adapters.runs import disk
from adapters.runs.manifest import Run, run_stage
from adapters.settings import ConvertTable, Quantization, QuantizeTable
from tests.services.tiny_base import write_tiny_base


@pytest.fixture(scope="module")
def narrow_gguf(converter: Converter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with rows of 192, which K-quants cannot hold; as those of 896 of Qwen2.5-0.5B."""
    folder = tmp_path_factory.mktemp("narrow")
    write_tiny_base(folder / "model", width=192)
    convert_model(ConvertTable(), folder / "model", folder / "narrow.gguf", converter)
    return folder / "narrow.gguf"


def test_the_stage_makes_the_file_smaller(tiny_gguf: Path, tmp_path: Path) -> None:
    def work(run: Run) -> None:
        run.outputs["gguf"] = Path(shutil.copy(tiny_gguf, run.folder))

    converted = run_stage("convert", tmp_path / "convert", settings={}, inputs={}, work=work)
    manifest = quantize(QuantizeTable(), converted, tmp_path / "quantize")
    assert manifest.metrics["fallbacks"] == 0
    assert manifest.metrics["bytes"] < 0.5 * manifest.metrics["bytes_before"]
    assert manifest.output("gguf").name == "model-Q4_K_M.gguf"


def test_rows_that_do_not_fit_are_refused_with_what_fits(narrow_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(
        QuantizationError, match=r"12 of 26 tensors .* 192, .*Choose Q8_0, or allow"
    ):
        quantize_file(QuantizeTable(), narrow_gguf, tmp_path / "small.gguf")
    assert not list(tmp_path.iterdir())


def test_fallbacks_can_be_allowed(narrow_gguf: Path, tmp_path: Path) -> None:
    table = QuantizeTable(allow_fallbacks=True)
    plan = quantize_file(table, narrow_gguf, tmp_path / "small.gguf")
    assert set(plan.fallbacks.values()) == {192}
    assert (tmp_path / "small.gguf").stat().st_size < narrow_gguf.stat().st_size


def test_what_the_refusal_names_fits(narrow_gguf: Path, tmp_path: Path) -> None:
    table = QuantizeTable(quantization=Quantization.Q8_0)
    assert not quantize_file(table, narrow_gguf, tmp_path / "small.gguf").fallbacks


def test_a_damaged_source_is_told(tiny_gguf: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(tiny_gguf.read_bytes()[:-100_000])
    with pytest.raises(QuantizationError, match="convert it again if it is damaged"):
        quantize_file(QuantizeTable(), damaged, tmp_path / "small.gguf")
    assert list(tmp_path.iterdir()) == [damaged]


def test_a_full_disk_is_told_before_anything_is_written(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match="Quantizing to Q4_K_M needs"):
        quantize_file(QuantizeTable(), tiny_gguf, tmp_path / "small.gguf")
    assert not list(tmp_path.iterdir())
