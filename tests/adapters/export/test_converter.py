"""llama.cpp's converter comes from the source that serves, checksummed, or not at all."""

import hashlib
import io
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

from adapters.errors import ConversionError
from adapters.export import converter as module
from adapters.export.converter import Converter, find_converter

ROOT = f"llama_cpp_python-{version('llama-cpp-python')}"


def write_source(path: Path, files: dict[str, str]) -> str:
    """A source distribution with these files; its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo(f"{ROOT}/vendor/llama.cpp/conversion/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_converter_is_the_one_of_the_installed_llama_cpp(converter: Converter) -> None:
    assert converter.version == version("llama-cpp-python")
    assert (converter.folder / "convert_lora_to_gguf.py").is_file()
    assert (converter.folder / "gguf-py" / "gguf" / "gguf_writer.py").is_file()


def test_a_source_placed_by_hand_gives_up_only_the_converter(tmp_path: Path) -> None:
    llama_cpp = f"{ROOT}/vendor/llama.cpp"
    source = tmp_path / "source.tar.gz"
    checksum = write_source(
        source,
        {
            f"{llama_cpp}/convert_hf_to_gguf.py": "print('yes')",
            f"{llama_cpp}/conversion/base.py": "",
            f"{llama_cpp}/conversion/../../../../outside.py": "",
            f"{llama_cpp}/src/llama.cpp": "",
            f"{ROOT}/setup.py": "",
        },
    )
    found = find_converter(tmp_path / "cache", source=source, sha256=checksum)
    names = sorted(path.name for path in found.folder.rglob("*") if path.is_file())
    assert names == ["base.py", "convert_hf_to_gguf.py"]
    assert [path.name for path in (tmp_path / "cache" / "converter").iterdir()] == [
        found.folder.name
    ]


def test_what_a_script_writes_appears_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("import sys; open(sys.argv[-1], 'w').write('whole')")
    Converter(tmp_path, "", "").write("good.py", tmp_path / "target", seconds=60)
    assert (tmp_path / "target").read_text() == "whole"


def test_a_script_that_fails_tells_its_last_lines_and_leaves_nothing(tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[-1], 'w').write('half'); print('why'); sys.exit(1)"
    (tmp_path / "broken.py").write_text(program)
    with pytest.raises(ConversionError, match="why"):
        Converter(tmp_path, "", "").write("broken.py", tmp_path / "target", seconds=60)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.py"]


def test_a_script_sees_no_secrets_and_no_modules_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN", "xoxb-secret")
    (tmp_path / "look.py").write_text(
        "import importlib.util, os, sys\n"
        "assert 'LOREBOT_SLACK_BOT_TOKEN' not in os.environ\n"
        "assert importlib.util.find_spec('manifest') is None\n"
        "open(sys.argv[-1], 'w').close()\n"
    )
    Converter(tmp_path, "", "").write("look.py", tmp_path / "target", seconds=60)


def test_another_file_than_the_published_one_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source.tar.gz"
    write_source(source, {})
    with pytest.raises(ConversionError, match="not the published source"):
        find_converter(tmp_path / "cache", source=source)
    assert not list((tmp_path / "cache" / "converter").iterdir())


def test_a_source_without_a_converter_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source.tar.gz"
    checksum = write_source(source, {f"{ROOT}/setup.py": ""})
    with pytest.raises(ConversionError, match=r"holds no llama\.cpp converter"):
        find_converter(tmp_path / "cache", source=source, sha256=checksum)


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="cannot be read"):
        find_converter(tmp_path / "cache", source=tmp_path / "nothing.tar.gz")


def test_a_version_without_a_known_checksum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKSUMS", {"0.0.1": "0" * 64})
    with pytest.raises(ConversionError, match=r"known \(0\.0\.1\)"):
        find_converter(tmp_path)


def test_without_an_index_the_way_by_hand_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ConversionError, match=r"could not be fetched.*name the file"):
        find_converter(tmp_path / "cache")
