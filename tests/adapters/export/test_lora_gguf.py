"""An adapter beside its base computes in llama.cpp what it computes in PEFT."""

import json
import shutil
from pathlib import Path

import pytest

from adapters.errors import BaseMismatch, ConversionError, VerificationFailed
from adapters.export.converter import Converter
from adapters.export.lora_gguf import convert_adapter, lora, verify_adapter
from adapters.models.base_model import libraries
from adapters.runs.manifest import Run, run_stage
from adapters.settings import ConvertTable
from tests.services.tiny_base import write_tiny_base
from tests.services.tiny_gguf import Faulty


def write_adapter(path: Path, base: Path, *, strength: float = 0.02) -> Path:
    """A LoRA with random weights, as PEFT saves it."""
    with libraries():
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(20)
            adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
            for name, weights in adapted.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(weights, std=strength)
        adapted.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def adapter(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_adapter(tmp_path_factory.mktemp("adapter") / "adapter", tiny_base)


@pytest.fixture(scope="module")
def adapter_gguf(adapter: Path, tiny_base: Path, converter: Converter) -> Path:
    path = adapter.parent / "adapter.gguf"
    convert_adapter(ConvertTable(), adapter, tiny_base, path, converter)
    return path


def test_the_stage_converts_and_compares(
    adapter: Path, tiny_base: Path, tiny_gguf: Path, tmp_path: Path, cache_dir: Path
) -> None:
    def work(run: Run) -> None:
        run.outputs["adapter"] = Path(shutil.copytree(adapter, run.folder / "adapter"))

    trained = run_stage("train", tmp_path / "train", settings={}, inputs={}, work=work)
    folder = tmp_path / "lora"
    manifest = lora(ConvertTable(), trained, tiny_base, tiny_gguf, folder, cache_dir=cache_dir)
    assert manifest.output("gguf").is_file()
    assert manifest.metrics["difference"] < 0.05
    assert manifest.metrics["error"] < 0.05 * manifest.metrics["effect"]


def test_another_scale_is_found(
    adapter: Path, adapter_gguf: Path, tiny_base: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    fault = Faulty(adapter_gguf, tmp_path / "adapter.gguf")
    fault.set_number("adapter.lora.alpha", 10.0)
    with pytest.raises(VerificationFailed, match=r"is wrong \(at most"):
        verify_adapter(adapter, tiny_base, tiny_gguf, fault.write())


def test_an_adapter_that_changes_nothing_is_told(
    adapter_gguf: Path, tiny_base: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    untrained = write_adapter(tmp_path / "adapter", tiny_base, strength=0)
    with pytest.raises(VerificationFailed, match="changes nothing"):
        verify_adapter(untrained, tiny_base, tiny_gguf, adapter_gguf)


def test_a_file_that_is_no_adapter_is_told(adapter: Path, tiny_base: Path, tiny_gguf: Path) -> None:
    with pytest.raises(VerificationFailed, match=r"llama\.cpp refuses the adapter"):
        verify_adapter(adapter, tiny_base, tiny_gguf, tiny_gguf)


def test_an_adapter_of_another_base_is_told(
    adapter: Path, adapter_gguf: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_tiny_base(other, width=512)
    with pytest.raises(BaseMismatch, match="does not fit the base"):
        verify_adapter(adapter, other, tiny_gguf, adapter_gguf)


@pytest.mark.parametrize(
    "setting",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"alpha_pattern": {"q_proj": 4}},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"bias": "all"},
        {"peft_type": "IA3"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_what_llama_cpp_cannot_apply_is_refused(
    adapter: Path, tiny_base: Path, tmp_path: Path, setting: dict[str, object]
) -> None:
    changed = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    path = changed / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | setting))
    not_run = Converter(Path("nowhere"), "", "")
    with pytest.raises(ConversionError, match="merge it instead"):
        convert_adapter(ConvertTable(), changed, tiny_base, tmp_path / "a.gguf", not_run)


def test_a_folder_that_is_no_adapter_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    not_run = Converter(Path("nowhere"), "", "")
    with pytest.raises(ConversionError, match=r"holds no adapter_config\.json"):
        convert_adapter(ConvertTable(), tmp_path, tiny_base, tmp_path / "a.gguf", not_run)
