"""llama.cpp's own converter, of exactly the revision that serves: fetched once, checksummed.

llama-cpp-python's source distribution carries the llama.cpp it was built from. Its converter
scripts go to the cache folder, never into the repository; the gguf package of the same name
differs from the one they need.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from adapters.errors import ConversionError, MissingPackage
from adapters.runs.child import run, run_module
from indexer.file_hash import sha256_of

PACKAGE = "llama-cpp-python"
CHECKSUMS = {"0.3.36": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"}
"""SHA-256 of the source distribution by version, as published."""

_WANTED = ("conversion/", "gguf-py/gguf/", "convert_hf_to_gguf.py", "convert_lora_to_gguf.py")
_FETCH_SECONDS = 900.0
_MEANINGS = (
    (
        "pre-tokenizer was not recognized",
        "The model's pre-tokenizer is one that this llama.cpp does not know, so that every text "
        "would be cut wrongly: choose a base that llama.cpp supports, or upgrade llama-cpp-python",
    ),
    (
        "is not supported",
        "The model's architecture is one that this llama.cpp does not know: choose another base, "
        "or upgrade llama-cpp-python",
    ),
    ("No space left", "The disk is full: free some space and start again"),
)


@dataclass(frozen=True, slots=True)
class Converter:
    """llama.cpp's converter scripts in ``folder``; ``sha256`` is that of where they came from."""

    folder: Path
    version: str
    sha256: str

    def write(
        self, script: str, target: Path, *arguments: str, seconds: float, pre_tokenizer: str = ""
    ) -> None:
        """Let a script write ``target``, in a process of its own; it appears only when whole.

        ``pre_tokenizer`` is declared where the script does not recognise the model's own. Raises
        ConversionError.
        """
        part = target.with_name(f"{target.name}.part")
        try:
            finished = run_module(
                "adapters.export.converter_process",
                [str(self.folder), script, pre_tokenizer, *arguments, "--outfile", str(part)],
                seconds=seconds,
            )
            if not finished.succeeded:
                raise ConversionError(_explain(finished.last_lines))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def find_converter(cache_dir: Path, *, source: Path | None = None, sha256: str = "") -> Converter:
    """The converter for the installed llama-cpp-python, fetched by pip where it is not cached.

    ``source`` names a source distribution placed by hand; ``sha256`` is its checksum for versions
    that this file does not know. Raises ConversionError or MissingPackage.
    """
    if find_spec("sentencepiece") is None:
        raise MissingPackage(
            "llama.cpp's converter needs the package sentencepiece; "
            "install what training needs: pip install 'lorebot[train]'."
        )
    version = installed_version(PACKAGE)
    checksum = sha256 or CHECKSUMS.get(version, "")
    if not checksum:
        raise ConversionError(
            f"llama-cpp-python {version} is not among the versions whose source is known "
            f"({', '.join(CHECKSUMS)}): install one of those, or give the SHA-256 of its source "
            "distribution in the settings."
        )
    folder = cache_dir / "converter" / f"{version}-{checksum[:12]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            archive = source or _download(version, checksum, Path(scratch))
            _check(archive, checksum)
            _extract(archive, Path(scratch) / "converter")
            _install(Path(scratch) / "converter", folder)
    return Converter(folder, version, checksum)


def _explain(said: str) -> str:
    meaning = next((meaning for sign, meaning in _MEANINGS if sign in said), "")
    return f"{meaning or 'The model cannot be converted'}. (llama.cpp's converter: {said})"


def _download(version: str, checksum: str, folder: Path) -> Path:
    """By package name, from the index that pip is set up for; pip checks before it opens it."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{PACKAGE}=={version} --hash=sha256:{checksum}\n")
    finished = run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"),
            *("download", "--quiet", "--no-deps", "--no-binary", PACKAGE, "--require-hashes"),
            *("--requirement", str(requirement), "--dest", str(folder)),
        ],
        seconds=_FETCH_SECONDS,
    )
    archives = sorted(folder.glob("*.tar.gz"))
    if not finished.succeeded or not archives:
        raise ConversionError(
            f"The source of {PACKAGE} {version}, which holds llama.cpp's converter, could not be "
            f"fetched. Where there is a network, run: pip download --no-deps --no-binary {PACKAGE} "
            f"{PACKAGE}=={version}; then name the file in the settings. "
            f"(pip: {finished.last_lines})"
        )
    return archives[0]


def _check(archive: Path, checksum: str) -> None:
    try:
        found = sha256_of(archive)
    except OSError as error:
        raise ConversionError(
            f"The source distribution {archive} cannot be read ({error.strerror}); "
            "correct its path in the settings."
        ) from error
    if found != checksum:
        raise ConversionError(
            f"{archive.name} is not the published source of {PACKAGE}: its SHA-256 is {found}, "
            f"not {checksum}. Remove it and fetch it again."
        )


def _extract(archive: Path, folder: Path) -> None:
    """Only the converter's own Python files, as plain files inside ``folder``."""
    with tarfile.open(archive) as tar:
        for member, place in _wanted_members(tar):
            source = tar.extractfile(member)
            if source is not None:
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    if not (folder / "convert_hf_to_gguf.py").is_file():
        raise ConversionError(f"{archive.name} holds no llama.cpp converter; name another file.")


def _wanted_members(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    for member in tar:
        _, found, place = member.name.partition("/vendor/llama.cpp/")
        path = PurePosixPath(place)
        is_wanted = found and path.suffix == ".py" and place.startswith(_WANTED)
        if is_wanted and member.isfile() and ".." not in path.parts:
            yield member, path


def _install(extracted: Path, folder: Path) -> None:
    try:
        extracted.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise
