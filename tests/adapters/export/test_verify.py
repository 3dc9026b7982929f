"""A file that is not the model it was made from never gets through; each fault is planted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import VerificationFailed
from adapters.export.convert import convert_model
from adapters.export.converter import Converter
from adapters.export.fidelity import Fidelity, shortfalls
from adapters.export.verify import verify, verify_files
from adapters.models.base_model import libraries
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import ConvertTable, Gate, VerifyTable
from tests.services.tiny_base import write_tiny_base
from tests.services.tiny_gguf import Faulty

Plant = Callable[[Faulty], None]


def stage(name: str, folder: Path, output: str, path: Path, **settings: str) -> Manifest:
    """A finished run of an earlier stage."""

    def work(run: Run) -> None:
        target = run.folder / path.name
        run.outputs[output] = target
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            shutil.copy(path, target)

    return run_stage(name, folder / name, settings=settings, inputs={}, work=work)


def test_faithful_files_pass_and_are_measured(
    tiny_base: Path, tiny_gguf: Path, tiny_quantized: Path, tmp_path: Path
) -> None:
    manifest = verify(
        VerifyTable(),
        tiny_base,
        stage("convert", tmp_path, "gguf", tiny_gguf, precision="f16"),
        stage("quantize", tmp_path, "gguf", tiny_quantized, quantization="Q4_K_M"),
        tmp_path / "verify",
        texts=["How do I get access to staging?"],
    )
    whole, small = manifest.metrics["f16"], manifest.metrics["Q4_K_M"]
    assert whole["divergence"] < 1e-6 < 1e-3 < small["divergence"] < 0.05
    assert whole["agreement"] > 0.99
    assert abs(whole["perplexity_growth"]) < 0.001
    assert abs(small["perplexity_growth"]) < 0.05
    assert whole["tokens"] == small["tokens"] > 1000


def test_llama_with_weights_of_its_own_for_the_output_passes(
    converter: Converter, tmp_path: Path
) -> None:
    model, path = tmp_path / "model", tmp_path / "model.gguf"
    write_tiny_base(model, architecture="llama", tied=False)
    convert_model(ConvertTable(), model, path, converter)
    assert verify_files(VerifyTable(tokens=512), model, {"f16": path})["f16"].agreement > 0.99


def swap_two_tokens(fault: Faulty) -> None:
    texts = fault.texts("tokenizer.ggml.tokens")
    one, other = [place for place in range(2000, 4000) if len(texts[place]) == 5][:2]
    fault.set_text("tokenizer.ggml.tokens", one, texts[other])
    fault.set_text("tokenizer.ggml.tokens", other, texts[one])


def make_a_control_token_ordinary(fault: Faulty) -> None:
    fault.set_element("tokenizer.ggml.token_type", 1, 1)


def drop_a_merge(fault: Faulty) -> None:
    """The last one, of a token that no other text of the comparison holds."""
    merges = fault.texts("tokenizer.ggml.merges")
    same_length = [place for place, merge in enumerate(merges) if len(merge) == len(merges[-1])]
    fault.set_text("tokenizer.ggml.merges", len(merges) - 1, merges[same_length[0]])


def change_the_template(fault: Faulty) -> None:
    fault.replace_text("tokenizer.chat_template", b"assistant", b"assistent")


def double_the_newline_of_the_template(fault: Faulty) -> None:
    fault.replace_text("tokenizer.chat_template", b"|im_end|>\\n", b"|im_end|>\\t")


def turn_positions_faster(fault: Faulty) -> None:
    fault.set_number("qwen2.rope.freq_base", 10_100.0)


def shorten_the_context(fault: Faulty) -> None:
    fault.set_number("qwen2.context_length", 1024)


def change_one_tensor(fault: Faulty) -> None:
    fault.scale_tensor("blk.1.ffn_down.weight", 1.1)


def put_no_number_into_a_tensor(fault: Faulty) -> None:
    fault.scale_tensor("blk.0.attn_norm.weight", float("nan"))


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (swap_two_tokens, r"token \d+ is '.*' instead of '"),
        (make_a_control_token_ordinary, "an ordinary token instead of a control token"),
        (drop_a_merge, "becomes other tokens"),
        (change_the_template, "the conversation about .* becomes other tokens"),
        (double_the_newline_of_the_template, "the conversation about .* becomes other tokens"),
        (turn_positions_faster, "rope.freq_base is 10100.000000 instead of 10000.0"),
        (shorten_the_context, "context_length is 1024 instead of 2048"),
        (change_one_tensor, "predicts other tokens than its source"),
        (put_no_number_into_a_tensor, "predicts other tokens than its source: divergence nan"),
    ],
)
def test_a_planted_fault_is_found(
    tiny_base: Path, tiny_gguf: Path, tmp_path: Path, plant: Plant, reason: str
) -> None:
    fault = Faulty(tiny_gguf, tmp_path / "model.gguf")
    plant(fault)
    with pytest.raises(VerificationFailed, match=reason):
        verify_files(VerifyTable(), tiny_base, {"f16": fault.write()})


def test_a_truncated_file_is_found(tiny_base: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny_gguf.read_bytes()[:-1000])
    with pytest.raises(VerificationFailed, match="is damaged or incomplete"):
        verify_files(VerifyTable(), tiny_base, {"f16": path})


def test_the_base_does_not_pass_for_the_merged_model(
    tiny_base: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    """A merge that was lost on the way: everything is right but the weights."""
    model = Path(shutil.copytree(tiny_base, tmp_path / "merged"))
    with libraries():
        from safetensors.numpy import load_file, save_file

        weights = load_file(model / "model.safetensors")
        weights["model.layers.0.self_attn.q_proj.weight"] *= 1.05
        save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(VerificationFailed, match="predicts other tokens than its source"):
        verify_files(VerifyTable(), model, {"f16": tiny_gguf})


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("config.json", {"vocab_size": 4097}, "has 4096 tokens instead of 4097"),
        ("generation_config.json", {"eos_token_id": [2, 700]}, "would go on talking"),
    ],
)
def test_a_source_that_says_otherwise_is_found(
    tiny_base: Path,
    tiny_gguf: Path,
    tmp_path: Path,
    name: str,
    changes: dict[str, Any],
    reason: str,
) -> None:
    model = Path(shutil.copytree(tiny_base, tmp_path / "model"))
    content = json.loads((model / name).read_text()) | changes
    (model / name).write_text(json.dumps(content))
    with pytest.raises(VerificationFailed, match=reason):
        verify_files(VerifyTable(), model, {"f16": tiny_gguf})


def test_a_beginning_added_twice_or_never_is_found(
    tiny_base: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    """The source puts a token before every text that the file does not know of."""
    model = Path(shutil.copytree(tiny_base, tmp_path / "model"))
    content = json.loads((model / "tokenizer.json").read_text())
    processor = content["post_processor"]
    processor["single"].insert(0, {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}})
    processor["special_tokens"] = {
        "<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}
    }
    (model / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(VerificationFailed, match=r"from place 0 on: \[1, .* instead of \[0, 1"):
        verify_files(VerifyTable(), model, {"f16": tiny_gguf})


def test_gates_open_only_for_numbers_within_them() -> None:
    gate = Gate(divergence=0.01, overturned=0.02)
    good = {"tokens": 9, "agreement": 1.0, "perplexity": 5.0, "source_perplexity": 5.0}
    assert not shortfalls(Fidelity(divergence=0.01, overturned=0.02, **good), gate)
    for divergence, overturned in ((0.011, 0), (0, 0.021), (float("nan"), 0), (0, float("nan"))):
        assert shortfalls(Fidelity(divergence=divergence, overturned=overturned, **good), gate)
