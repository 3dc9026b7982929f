from pathlib import Path

import gguf
import pytest

from bot.domain.errors import RegistryError
from bot.models.gguf_file import Header, read_header, usable_header
from tests.services.model_files import write_gguf


def test_header_of_a_model_says_its_architecture_and_quantization(tiny_model: Path) -> None:
    assert read_header(tiny_model) == Header("llama", False, "F16", 1)


@pytest.mark.parametrize("file_type", [t for t in gguf.LlamaFileType if t.name != "GUESSED"])
def test_every_quantization_has_llama_cpps_name(
    tmp_path: Path, file_type: gguf.LlamaFileType
) -> None:
    found = read_header(write_gguf(tmp_path / "a.gguf", file_type=file_type)).quantization
    assert found == file_type.name.removeprefix("MOSTLY_").removeprefix("ALL_")


def test_file_that_does_not_say_its_quantization_has_none(tmp_path: Path) -> None:
    assert read_header(write_gguf(tmp_path / "a.gguf")).quantization == ""


def test_adapter_is_told_from_a_model(tmp_path: Path) -> None:
    adapter = write_gguf(tmp_path / "a.gguf", adapter=True)
    assert usable_header(adapter, adapter=True).is_adapter
    with pytest.raises(RegistryError, match="--base"):
        usable_header(adapter, adapter=False)
    with pytest.raises(RegistryError, match="whole model"):
        usable_header(write_gguf(tmp_path / "b.gguf"), adapter=True)


def test_part_of_a_split_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"one of 3 parts.*--merge"):
        usable_header(write_gguf(tmp_path / "a.gguf", parts=3), adapter=False)


def test_file_cut_anywhere_in_its_header_is_called_damaged(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "a.gguf", file_type=gguf.LlamaFileType.MOSTLY_Q4_K_M)
    reader = gguf.GGUFReader(whole)
    header = reader.tensors[0].field.offset
    content = whole.read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in range(header):
        cut.write_bytes(content[:length])
        with pytest.raises(RegistryError, match="damaged"):
            read_header(cut)


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"\xff" * 8, 24), (b"\xff" * 4, 4), (b"\xff" * 4, 24 + 8 + len("general.architecture"))],
    ids=["length of the first key", "version", "type of the first value"],
)
def test_nonsense_in_a_header_is_called_damaged(tmp_path: Path, content: bytes, place: int) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    data = bytearray(path.read_bytes())
    data[place : place + len(content)] = content
    path.write_bytes(data)
    with pytest.raises(RegistryError, match="damaged"):
        read_header(path)


def test_what_cannot_be_read_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no file"):
        read_header(tmp_path / "missing.gguf")
    with pytest.raises(RegistryError, match="cannot be read"):
        read_header(tmp_path)
