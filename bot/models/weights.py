"""A model file on disk: is it there, is it a GGUF file, and exactly which one is it?"""

from __future__ import annotations

from pathlib import Path

from bot.domain.errors import ModelError
from bot.domain.values import ModelIdentity
from indexer.file_hash import sha256_of

_MAGIC = b"GGUF"


def identify(path: Path) -> ModelIdentity:
    """The file's name and SHA-256.

    Reads the whole file, about a second a gigabyte. Raises ModelError when there is no such
    file or it is not in GGUF format.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ModelError(
                    f"{path} is not a GGUF file: name a model in llama.cpp's GGUF format."
                )
        digest = sha256_of(path)
    except FileNotFoundError:
        raise ModelError(
            f"There is no model file {path}: download one or correct the path in the settings."
        ) from None
    except OSError as error:
        raise ModelError(
            f"The model file {path} cannot be read ({error.strerror}): correct the path or "
            "the file's permissions."
        ) from error
    return ModelIdentity(name=path.name, sha256=digest)
