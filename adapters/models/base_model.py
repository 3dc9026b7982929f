"""The full-precision base model: a folder as Hugging Face lays it out, checked before it is read.

Heavy libraries are loaded by the functions that need them; nothing is ever fetched.
"""

from __future__ import annotations

import errno
import importlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.errors import BaseMismatch, MissingPackage
from adapters.runs.files import fingerprint_of

# all that makes text into tokens, in every layout in use
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model",
)  # fmt: skip
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
_PARTS = {
    "base_weights": ("config.json", "*.safetensors"),
    "base_tokenizer": TOKENIZER_FILES,
    "base_template": TEMPLATE_FILES,
}
_LIBRARIES = (
    "torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes", "tensorboard",
    "matplotlib",
)  # fmt: skip
_FULL_DISK = ("No space left", "PytorchStreamWriter", "unexpected pos")
_IN_WORDS = {
    "base_weights": "weights",
    "base_tokenizer": "tokenizer",
    "base_template": "chat template",
}


@dataclass(frozen=True, slots=True)
class Device:
    """Where models are computed: ``name`` as torch calls it, ``bfloat16`` whether it is native."""

    name: str
    bfloat16: bool

    @property
    def is_gpu(self) -> bool:
        return self.name != "cpu"


def check_base(base: Path) -> dict[str, Any]:
    """The model's configuration. Raises BaseMismatch for a folder that holds no base model."""
    path = base / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseMismatch(
            f"{base} holds no base model: {path.name} cannot be read ({type(error).__name__}). "
            "Name the folder of a full-precision model as Hugging Face lays it out."
        ) from error
    if "quantization_config" in config:
        raise BaseMismatch(
            f"The base model in {base} is quantized already: name its full-precision original, "
            "which adapters are merged onto."
        )
    if not any(base.glob("*.safetensors")):
        raise BaseMismatch(f"{base} holds no weights (*.safetensors): download them first.")
    return dict(config)


def identity(base: Path) -> dict[str, str]:
    """SHA-256 of what an adapter depends on: weights, tokenizer, chat template."""
    check_base(base)
    return {name: _hash_of(base, patterns) for name, patterns in _PARTS.items()}


def require_same_base(base: Path, recorded: Mapping[str, str]) -> None:
    """Raise BaseMismatch where ``base`` is not what a run's manifest ``recorded``."""
    now = identity(base)
    changed = [words for name, words in _IN_WORDS.items() if recorded.get(name) != now[name]]
    if changed:
        raise BaseMismatch(
            f"The adapter was not trained on the base model in {base}: another "
            f"{' and another '.join(changed)}. Name the base it was trained on, or train again."
        )


def device() -> Device:
    """The GPU where there is one, else the processor."""
    import torch

    if torch.cuda.is_available():
        return Device("cuda:0", torch.cuda.is_bf16_supported(including_emulation=False))
    return Device("cpu", bfloat16=False)


def load_full(base: Path, *, dtype: Any, device: str) -> Any:
    """The model of a folder as transformers loads it, in ``dtype`` (of torch)."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        base, dtype=dtype, device_map={"": device}, local_files_only=True
    )


def require_libraries() -> None:
    """Raise MissingPackage where the train extra is not installed; make the libraries quiet.

    Their bars and notes are about their own workings; the stages report in their own words.
    """
    # the note that an optional kernel, to be downloaded, is missing
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    try:
        for name in _LIBRARIES:
            importlib.import_module(name)
    except ImportError as error:
        raise MissingPackage(
            f"Training needs the package {error.name}: pip install 'lorebot[train]'."
        ) from error
    import datasets
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()


@contextmanager
def libraries() -> Iterator[None]:
    """``require_libraries``, and no warnings among them about each other while the block runs.

    A full disk is an OSError also where torch and safetensors call it something else.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=rf"({'|'.join(_LIBRARIES)})\b")
        require_libraries()
        from safetensors import SafetensorError

        try:
            yield
        except (RuntimeError, SafetensorError) as error:
            if any(sign in str(error) for sign in _FULL_DISK):
                raise OSError(errno.ENOSPC, str(error)) from error
            raise


def _hash_of(base: Path, patterns: tuple[str, ...]) -> str:
    return fingerprint_of({path for pattern in patterns for path in base.glob(pattern)}, base)
