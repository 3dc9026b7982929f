"""The tiny base as GGUF files, by llama.cpp's own converter and quantization, and faults in it."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import pytest

from adapters.errors import ConversionError
from adapters.export.convert import convert_model
from adapters.export.converter import Converter, find_converter
from adapters.export.quantize import quantize_file
from adapters.settings import ConvertTable, QuantizeTable
from tests.services.tiny_base import VERSION


@pytest.fixture(scope="session")
def converter(cache_dir: Path) -> Converter:
    """llama.cpp's converter, kept in pytest's cache between runs."""
    try:
        return find_converter(cache_dir)
    except ConversionError as error:
        if "could not be fetched" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def tiny_gguf(tiny_base: Path, converter: Converter, cache_dir: Path) -> Path:
    """The tiny base in 16 bits, kept in pytest's cache between runs; never write to it."""
    path = cache_dir / f"{VERSION}-{version('llama-cpp-python')}-f16.gguf"
    if not path.exists():
        convert_model(ConvertTable(), tiny_base, path, converter)
    return path


@pytest.fixture(scope="session")
def tiny_quantized(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quantized") / "model-Q4_K_M.gguf"
    quantize_file(QuantizeTable(), tiny_gguf, path)
    return path


class Faulty:
    """A copy of a GGUF file, changed in place: nothing may change its length."""

    def __init__(self, original: Path, path: Path) -> None:
        shutil.copy(original, path)
        self.path = path
        self._reader = gguf.GGUFReader(path, "r+")

    def set_number(self, key: str, value: float) -> None:
        field = self._reader.fields[key]
        field.parts[field.data[0]][0] = value

    def set_element(self, key: str, place: int, value: int) -> None:
        field = self._reader.fields[key]
        field.parts[field.data[place]][0] = value

    def replace_text(self, key: str, old: bytes, new: bytes) -> None:
        """In one text."""
        field = self._reader.fields[key]
        text = field.parts[field.data[0]]
        changed = bytes(text).replace(old, new)
        assert changed != bytes(text)
        text[:] = np.frombuffer(changed, np.uint8)

    def texts(self, key: str) -> list[bytes]:
        """All texts of a list."""
        field = self._reader.fields[key]
        return [bytes(field.parts[place]) for place in field.data]

    def set_text(self, key: str, place: int, text: bytes) -> None:
        field = self._reader.fields[key]
        field.parts[field.data[place]][:] = np.frombuffer(text, np.uint8)

    def scale_tensor(self, name: str, factor: float) -> None:
        (tensor,) = (each for each in self._reader.tensors if each.name == name)
        tensor.data[:] = tensor.data * tensor.data.dtype.type(factor)

    def write(self) -> Path:
        self._reader.data.flush()
        return self.path
