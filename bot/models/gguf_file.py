"""Reads a GGUF file: its SHA-256, whether it is a model or an adapter, and its quantization."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.domain.errors import ModelError, RegistryError
from bot.domain.values import ModelIdentity
from indexer.file_hash import sha256_of

# The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_STRING, _ARRAY = 8, 9
_NUMBERS: Final = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))

_QUANTIZATIONS: Final = {
    **{0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K"},
    **{11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S"},
    **{17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS"},
    **{23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S"},
    **{29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0"},
    **{38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0"},
}


@dataclass(frozen=True, slots=True)
class Header:
    """What decides how a file can be served.

    ``quantization`` is llama.cpp's name of the file type, empty where the file does not say;
    ``parts`` is above 1 where the model is split over several files.
    """

    architecture: str
    is_adapter: bool
    quantization: str
    parts: int


def identify(path: Path) -> ModelIdentity:
    """The file's name and SHA-256.

    Reads the whole file, about a second per gigabyte. Raises ModelError when there is no such
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


def file_sha256(path: Path) -> str:
    """Reads the whole file. Raises RegistryError where it is missing or no GGUF file."""
    try:
        return identify(path).sha256
    except ModelError as error:
        raise RegistryError(str(error)) from error


def read_header(path: Path) -> Header:
    """Raises RegistryError where there is no such file, or it is no whole GGUF header."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            fields = dict(_fields(data))
    except FileNotFoundError:
        raise RegistryError(f"There is no file {path}: correct the path.") from None
    except OSError as error:
        raise RegistryError(
            f"{path} cannot be read ({error.strerror}): correct the path or the file's permissions."
        ) from error
    except (struct.error, ValueError) as error:
        raise RegistryError(
            f"{path} is no GGUF file, or a damaged one: name a whole file in llama.cpp's GGUF "
            "format."
        ) from error
    file_type, parts = fields.get("general.file_type"), fields.get("split.count")
    return Header(
        architecture=str(fields.get("general.architecture", "")),
        is_adapter=fields.get("general.type") == "adapter",
        quantization=_QUANTIZATIONS.get(file_type, "") if isinstance(file_type, int) else "",
        parts=int(parts) if isinstance(parts, int) else 1,
    )


def usable_header(path: Path, *, adapter: bool) -> Header:
    """Of a whole model, or of an adapter. Raises RegistryError where it is anything else."""
    header = read_header(path)
    if header.parts > 1:
        raise RegistryError(
            f"{path} is one of {header.parts} parts of a model: join them with llama.cpp's "
            "`llama-gguf-split --merge` and add the whole."
        )
    if header.is_adapter and not adapter:
        raise RegistryError(f"{path} is an adapter: name the version it belongs to with --base.")
    if adapter and not header.is_adapter:
        raise RegistryError(f"{path} is a whole model, not an adapter: add it without --base.")
    return header


def _fields(data: mmap.mmap) -> Iterator[tuple[str, str | int | float | bool]]:
    """All but the arrays. Raises struct.error or ValueError where the bytes make no sense."""
    reader = _Reader(data)
    magic, version, _tensors, count = reader.take("<4sIQQ")
    if magic != _MAGIC or version not in _VERSIONS:
        raise ValueError("not GGUF")
    for _ in range(count):
        key = reader.string()
        (kind,) = reader.take("<I")
        if kind == _ARRAY:
            reader.skip_array()
        elif kind == _STRING:
            yield key, reader.string()
        else:
            yield key, reader.take(f"<{_number(kind)}")[0]


def _number(kind: int) -> str:
    if kind not in _NUMBERS:
        raise ValueError(f"no such type: {kind}")
    return _NUMBERS[kind]


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def string(self) -> str:
        (length,) = self.take("<Q")
        (text,) = self.take(f"{self._checked(length)}s")
        return str(text, "utf-8", errors="replace")

    def skip_array(self) -> None:
        kind, count = self.take("<IQ")
        if kind == _STRING:
            for _ in range(count):
                (length,) = self.take("<Q")
                self._at += self._checked(length)
        else:
            self._at += self._checked(count * struct.calcsize(_number(kind)))

    def _checked(self, length: int) -> int:
        if self._at + length > len(self._data):
            raise ValueError("longer than the file")
        return length
